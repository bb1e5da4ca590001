// Linked into the tfjs-node binding to keep a run's first lines on the terminal its own. TensorFlow 2.21 announces oneDNN
// from a static initialiser that runs before TF_CPP_MIN_LOG_LEVEL is read, so no variable silences it. The dynamic linker
// finds the binding's definition of the function first: the same decision, without the announcement.

#include <cstdlib>
#include <cstring>

namespace tensorflow {

bool IsMklEnabled() {
  static const bool enabled = [] {
    const char* wanted = std::getenv("TF_ENABLE_ONEDNN_OPTS");
    return wanted == nullptr || (std::strcmp(wanted, "0") != 0 && std::strcmp(wanted, "false") != 0);
  }();
  return enabled;
}

}  // namespace tensorflow
