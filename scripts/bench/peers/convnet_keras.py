"""A step of a convolutional network in Keras over TensorFlow: python convnet_keras.py NETWORK ROWS THREADS STEPS WARMUP"""
import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras.layers import Conv2D, Dense, Flatten, MaxPooling2D

network = sys.argv[1]
rows, threads, steps, warmup = map(int, sys.argv[2:6])
tf.config.threading.set_intra_op_parallelism_threads(threads)
tf.config.threading.set_inter_op_parallelism_threads(1)

PEERS = [Conv2D(32, 3, activation="relu"), Conv2D(32, 3, activation="relu"), MaxPooling2D(),
         Conv2D(64, 3, activation="relu"), Conv2D(64, 3, activation="relu"), MaxPooling2D(),
         Flatten(), Dense(128, activation="relu"), Dense(10)]
CONVNET = [Conv2D(24, 5, activation="relu"), MaxPooling2D(), Conv2D(48, 3, activation="relu"), MaxPooling2D(),
           Conv2D(96, 3, activation="relu"), Flatten(), Dense(10)]
model = keras.Sequential([keras.Input((28, 28, 1)), *(CONVNET if network == "convnet" else PEERS)])
optimizer = keras.optimizers.Adam()
loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@tf.function
def step(x, y):
    with tf.GradientTape() as tape:
        loss = loss_of(y, model(x, training=True))
    optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))
    return loss


rng = np.random.default_rng(1)
x = tf.constant((rng.random((rows, 28, 28, 1)) * (rng.random((rows, 28, 28, 1)) < 0.19)).astype("float32"))
y = tf.constant(np.arange(rows) % 10)
times, cpu = [], []
for _ in range(warmup + steps):
    began, before = time.perf_counter(), time.process_time()
    step(x, y).numpy()
    times.append(1e3 * (time.perf_counter() - began))
    cpu.append(1e3 * (time.process_time() - before))
times, cpu = sorted(times[warmup:]), sorted(cpu[warmup:])
print(json.dumps({"ms_median": times[len(times) // 2], "ms_min": times[0], "cpu_ms": cpu[len(cpu) // 2],
                  "version": tf.__version__}))
