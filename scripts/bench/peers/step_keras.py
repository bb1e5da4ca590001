"""The fine-tune step and the inference of 60,000 images in Keras, as it is usually written."""
import os

from common import (ALPHA, CLASSES, DROPOUT, HIDDEN, INFERRED, INFERRED_BATCH, INPUT_DROPOUT, INPUTS, LABELLED, PSEUDO,
                    RATE, arguments, images, inference, labels, milliseconds, report)

args = arguments(__doc__, threads="of TensorFlow's operations")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf  # reads its environment when it is loaded
from tensorflow import keras

tf.config.threading.set_intra_op_parallelism_threads(args.threads)
tf.config.threading.set_inter_op_parallelism_threads(args.threads)
keras.utils.set_random_seed(1)

model = keras.Sequential([
    keras.layers.Dropout(INPUT_DROPOUT, input_shape=(INPUTS,)),
    keras.layers.Dense(HIDDEN, activation="relu"),
    keras.layers.Dropout(DROPOUT),
    keras.layers.Dense(CLASSES),
])
optimizer = keras.optimizers.Adam(RATE)
cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
labelled = (tf.constant(images(LABELLED, 1)), tf.constant(labels(LABELLED, 2)))
pseudo = (tf.constant(images(PSEUDO, 3)), tf.constant(labels(PSEUDO, 4)))


@tf.function
def train(x, y, x_pseudo, y_pseudo):
    with tf.GradientTape() as tape:
        loss = cross_entropy(y, model(x, training=True))
        loss += ALPHA * cross_entropy(y_pseudo, model(x_pseudo, training=True))
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
    return loss


@tf.function
def classify(x):
    return tf.argmax(model(x, training=False), 1)


steps = milliseconds(args, lambda: train(*labelled, *pseudo).numpy())
everything = None if args.no_infer else images(INFERRED, 5)
batches = lambda: (everything[at:at + INFERRED_BATCH] for at in range(0, INFERRED, INFERRED_BATCH))
seconds = inference(args, batches, lambda batch: classify(batch).numpy())
report(peer="keras", threads=args.threads, **steps, infer_60k_s=seconds, version=tf.__version__)
