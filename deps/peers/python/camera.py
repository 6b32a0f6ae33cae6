#!/usr/bin/env python3
"""The camera path as one Python process: OpenCV's capture, ONNX Runtime, NumPy, an outbox in sqlite3
and paho. The peer that canvas-edge is held against in `make bench`, written as well as such a program
usually is: decoding, inference, disk and link each have a thread, buffers are used again, and a
transaction takes what has gathered while the one before it reached the disk.

    python3 -m venv V && V/bin/pip install -r deps/peers/python/requirements.txt
    V/bin/python deps/peers/python/camera.py --video vtest.avi --model yolox_nano.onnx --mqtt 127.0.0.1:1883 --outbox /tmp/outbox.db
"""
import argparse
import datetime
import json
import os
import queue
import resource
import socket
import sqlite3
import threading
import time

import cv2
import numpy as np
import onnxruntime
import paho.mqtt.client as mqtt

SCORE, IOU = 0.3, 0.45
STRIDES = (8, 16, 32)
MOST = 200  # rows of one transaction
END = object()


class Detector:
    """YOLOX with the labels of COCO: the picture at the top left of a grey square."""

    def __init__(self, path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = os.cpu_count()
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name
        self.size = self.session.get_inputs()[0].shape[2]
        self.tensor = np.full((1, 3, self.size, self.size), 114, np.float32)
        cells = [np.stack(np.meshgrid(np.arange(self.size // s), np.arange(self.size // s)), 2).reshape(-1, 2) for s in STRIDES]
        self.grid = np.concatenate(cells).astype(np.float32)
        self.stride = np.concatenate([np.full((len(c), 1), s, np.float32) for c, s in zip(cells, STRIDES)])

    def detect(self, frame):
        height, width = frame.shape[:2]
        ratio = min(self.size / height, self.size / width)
        small = cv2.resize(frame, (int(width * ratio), int(height * ratio)), interpolation=cv2.INTER_LINEAR)
        self.tensor[0, :, : small.shape[0], : small.shape[1]] = small.transpose(2, 0, 1)
        rows = self.session.run(None, {self.input: self.tensor})[0][0]
        at = np.flatnonzero(rows[:, 4] > SCORE)  # no class lifts a lower one
        rows, grid, stride = rows[at], self.grid[at], self.stride[at]
        classes = rows[:, 5:].argmax(1)
        scores = rows[np.arange(len(at)), 5 + classes] * rows[:, 4]
        middle, sides = (rows[:, :2] + grid) * stride, np.exp(rows[:, 2:4]) * stride
        boxes = np.concatenate([middle - sides / 2, sides], 1) / ratio
        keep = np.flatnonzero(scores > SCORE)
        kept = suppress(boxes[keep], scores[keep], classes[keep])
        return [(int(classes[i]), float(scores[i]), [round(float(v), 3) for v in boxes[i]]) for i in keep[kept]]


def suppress(boxes, scores, classes):
    """Class by class, each box that overlaps no better one by more than IOU; best first."""
    order = np.argsort(-scores, kind="stable")
    low, high, area = boxes[:, :2], boxes[:, :2] + boxes[:, 2:], boxes[:, 2] * boxes[:, 3]
    kept = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(best)
        shared = np.clip(np.minimum(high[best], high[rest]) - np.maximum(low[best], low[rest]), 0, None).prod(1)
        covered = shared / (area[best] + area[rest] - shared) > IOU
        order = rest[~(covered & (classes[rest] == classes[best]))]
    return kept


class Outbox(threading.Thread):
    """Writes each frame's detections to disk, publishes them then, and forgets them at their PUBACK."""

    def __init__(self, path, broker, topic, name):
        super().__init__(daemon=True)
        self.path, self.topic = path, topic
        self.asked = queue.SimpleQueue()  # ("row", decoded, payload), ("acked", mid) or END
        self.waits = []                   # seconds from a frame decoded to its PUBACK
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=f"python-{name}")
        self.client.max_inflight_messages_set(32)
        self.client.on_socket_open = lambda client, data, s: s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.client.on_publish = lambda client, data, mid, reason, properties: self.asked.put(("acked", mid, time.time()))
        host, port = broker.rsplit(":", 1)
        self.client.connect(host, int(port))
        self.client.loop_start()

    def gather(self):
        batch = [self.asked.get()]
        while len(batch) < MOST:
            try:
                batch.append(self.asked.get_nowait())
            except queue.Empty:
                break
        return batch

    def run(self):
        db = sqlite3.connect(self.path, isolation_level=None)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("CREATE TABLE IF NOT EXISTS outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, payload BLOB NOT NULL)")
        flying, early, ended = {}, {}, False  # by message id; a PUBACK may be heard before publish returns
        while not ended or flying:
            batch = self.gather()
            ended = ended or END in batch
            early.update((ask[1], ask[2]) for ask in batch if ask is not END and ask[0] == "acked")
            rows = [ask[1:] for ask in batch if ask is not END and ask[0] == "row"]
            gone = []
            for mid in [mid for mid in early if mid in flying]:
                seq, decoded = flying.pop(mid)
                self.waits.append(early.pop(mid) - decoded)
                gone.append((seq,))
            if not rows and not gone:
                continue
            db.execute("BEGIN IMMEDIATE")
            db.executemany("DELETE FROM outbox WHERE seq = ?", gone)
            numbers = [db.execute("INSERT INTO outbox (payload) VALUES (?)", (payload,)).lastrowid for _, payload in rows]
            db.execute("COMMIT")
            for seq, (decoded, payload) in zip(numbers, rows):
                flying[self.client.publish(self.topic, payload, qos=1).mid] = seq, decoded
        db.close()
        self.client.disconnect()


def read(source, most, frames):
    """Decodes ahead of the network. The time of a frame is when it was decoded."""
    if "://" in source:  # of a file it would lose the first frame
        os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = "rtsp_transport;tcp|fflags;nobuffer"
    capture = cv2.VideoCapture(source, cv2.CAP_FFMPEG)
    number = 0
    while most == 0 or number < most:
        ok, frame = capture.read()
        if not ok:
            break
        frames.put((number, time.time(), frame))
        number += 1
    capture.release()
    frames.put(END)


def report(name, number, decoded, frame, found):
    at = datetime.datetime.fromtimestamp(decoded, datetime.timezone.utc).isoformat(timespec="microseconds")
    boxes = [{"class": c, "score": round(score, 5), "bbox": box} for c, score, box in found]
    return json.dumps({"camera": name, "width": frame.shape[1], "height": frame.shape[0],
                       "frames": [{"frame": number, "time": at, "boxes": boxes}]}).encode()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", default="camera")
    parser.add_argument("--video", required=True, help="a file, or rtsp://…")
    parser.add_argument("--model", required=True, help="YOLOX as an .onnx file")
    parser.add_argument("--mqtt", required=True, help="host:port of the broker")
    parser.add_argument("--outbox", required=True, help="file of the database")
    parser.add_argument("--topic", default="python/camera/detections")
    parser.add_argument("--frames", type=int, default=0, help="end after so many; 0: with the video")
    asked = parser.parse_args()

    detector = Detector(asked.model)
    outbox = Outbox(asked.outbox, asked.mqtt, asked.topic, asked.name)
    outbox.start()
    frames = queue.Queue(4)
    threading.Thread(target=read, args=(asked.video, asked.frames, frames), daemon=True).start()
    count, detections, began = 0, 0, None
    while (item := frames.get()) is not END:
        number, decoded, frame = item
        began = began or decoded
        found = detector.detect(frame)
        outbox.asked.put(("row", decoded, report(asked.name, number, decoded, frame, found)))
        count, detections = count + 1, detections + len(found)
    outbox.asked.put(END)
    outbox.join()
    if not count:
        raise SystemExit(f"{asked.video}: no frame could be decoded")
    took, waits = time.time() - began, sorted(outbox.waits)
    print(json.dumps({"frames": count, "detections": detections, "frames_per_second": round(count / took, 2),
                      "p50_ms": round(1000 * waits[len(waits) // 2], 2), "p99_ms": round(1000 * waits[len(waits) * 99 // 100], 2),
                      "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)}))


if __name__ == "__main__":
    main()
