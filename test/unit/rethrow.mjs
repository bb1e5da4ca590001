// A piscina task that throws what it is sent.
export default function rethrow(error) {
  throw error;
}
