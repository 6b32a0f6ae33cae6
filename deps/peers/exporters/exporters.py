"""Makes networks with the programs that people export with, and says what those programs find in pictures.

    python3 -m venv V && V/bin/pip install -r deps/peers/exporters/requirements.txt
    V/bin/python deps/peers/exporters/exporters.py --out /tmp/exports [CASE …]     (--list names the cases)

No weights are fetched: networks are built from their configuration with weights from a seed, and their last
layers are set so that some dozen boxes of each picture are above the floor. Into DIR come folders of pictures, CASE.onnx
and CASE.json: {"exporter", "pictures", "labels", "floor", "found": {picture: [{"label", "score", "box": x, y, w, h …}]}},
found by the exporter's own inference and post-processing on that file with ONNX Runtime.
cmd/integration/exports_test.go compares.
"""

import argparse
import json
import logging
import os
import pathlib
import shutil
import sys
import warnings

os.environ.update(YOLO_AUTOINSTALL="false", YOLO_OFFLINE="true", YOLO_VERBOSE="false", HF_HUB_OFFLINE="1", OMP_NUM_THREADS="2")
warnings.filterwarnings("ignore")

import cv2
import numpy as np
import torch

import others

FLOOR = 0.05
SIZES = [(320, 240), (161, 243), (500, 281), (96, 64)]  # of the pictures, width and height


def draw(folder, count=4, seed=3, sizes=SIZES):
    """Pictures of shapes over noise, as PNG so that every program sees the same pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, files = np.random.default_rng(seed), []
    for n in range(count):
        w, h = sizes[n % len(sizes)]
        im = cv2.resize(rng.integers(0, 255, (8, 8, 3), np.uint8), (w, h), interpolation=cv2.INTER_CUBIC)
        for _ in range(6):
            x, y, r = int(rng.integers(0, w)), int(rng.integers(0, h)), int(rng.integers(8, max(9, h // 4)))
            colour = tuple(int(c) for c in rng.integers(0, 255, 3))
            if rng.random() < 0.5:
                cv2.circle(im, (x, y), r, colour, -1)
            else:
                cv2.rectangle(im, (x - r, y - r // 2), (x + r, y + r // 2), colour, -1)
        file = folder / f"{n}_{w}x{h}.png"
        cv2.imwrite(str(file), im)
        files.append(file)
    return files


def spread(convs, outs, above, limit=FLOOR, deviation=1.5):
    """Sets the last layers of classes so that the best score of a share of all places is above the floor, and
    scores differ. outs are their outputs, B x classes x …, of the pictures."""
    flat = torch.cat([o.flatten(2) for o in outs], 2).transpose(1, 2).flatten(0, 1)
    scale = deviation / float(flat.std() + 1e-9)
    best = ((flat - flat.mean()) * scale).amax(1)
    shift = float(np.log(limit / (1 - limit))) - float(torch.quantile(best[torch.randperm(len(best))[:200000]], 1 - above))
    for conv in convs:
        conv.weight.data *= scale
        conv.bias.data = (conv.bias.data - flat.mean()) * scale + shift


def sized(convs, outs, bins):
    """Sets the last layers of boxes so that these are some cells wide. outs are as spread's."""
    for conv, out in zip(convs, outs):
        conv.weight.data /= out.std() + 1e-9
        conv.bias.data = (conv.bias.data - out.mean()) / (out.std() + 1e-9)
        if bins > 1:  # four distributions over the distance
            conv.bias.data -= 0.5 * torch.arange(bins).repeat(4)
        else:
            conv.weight.data *= 0.003
            conv.bias.data = conv.bias.data * 0.003 + 2


def seen(net, x, layers):
    """What some layers give."""
    outs = []
    hooks = [l.register_forward_hook(lambda m, i, o: outs.append(o)) for l in layers]
    net(x)
    for h in hooks:
        h.remove()
    return outs[: len(layers)]


class Ultralytics:
    """A network of Ultralytics, exported and judged by it."""

    def __init__(self, config, size=160, classes=None, above=0.06, export=None, predict=None, kpt=None):
        self.config, self.size, self.classes, self.above, self.kpt = config, size, classes or 3, above, kpt
        self.export, self.predict = export or {}, predict or {}

    def build(self, files):
        from ultralytics import YOLO, RTDETR
        from ultralytics.nn import tasks

        torch.manual_seed(7)
        kind = RTDETR if "rtdetr" in self.config else YOLO
        yaml = tasks.yaml_model_load(self.config)
        yaml["nc"] = self.classes
        if self.kpt:
            yaml["kpt_shape"] = self.kpt
        model = kind(self.config)
        task = model.task
        net = type(model.model)(yaml, nc=self.classes, verbose=False)
        net.names = {i: f"kind {i}" for i in range(self.classes)}
        net.task, net.args = task, model.model.args
        net.pt_path, net.yaml_file = self.config, self.config
        model.model = net
        self.calibrate(net, task, files)
        return model

    def calibrate(self, net, task, files):
        x = torch.cat([letterboxed(f, self.size) for f in files])
        head, net = net.model[-1], net.eval()
        norms = [m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)]
        for m in norms:  # so that what a random network sees differs from place to place
            m.reset_running_stats()
            m.momentum = None
            m.train()
        with torch.no_grad():
            for _ in range(2):
                net(x)
            net.eval()
            for m in norms:
                m.momentum = 0.03
            if task == "classify":
                return
            for name in ("one2one_cv2", "cv2", "one2one_cv3", "cv3"):
                branch = getattr(head, name, None)
                if branch is None or not len(branch) or not isinstance(branch[0], torch.nn.Sequential):
                    continue
                convs = [b[-1] for b in branch]
                outs = seen(net, x, convs)
                if outs and name.endswith("2"):
                    sized(convs, outs, head.reg_max)
                elif outs:
                    spread(convs, outs, self.above)
            if hasattr(head, "dec_score_head"):
                last = head.dec_score_head[-1]
                spread([last], [o.transpose(1, 2) for o in seen(net, x, [last])], 10 * self.above)

    def make(self, out, name, files):
        import ultralytics
        from ultralytics import RTDETR, YOLO

        model = self.build(files)
        work = out / ".work"
        work.mkdir(exist_ok=True)
        pt = work / f"{name}.pt"
        model.save(pt)
        kind = RTDETR if "rtdetr" in self.config else YOLO
        made = pathlib.Path(kind(pt).export(format="onnx", imgsz=self.size, device="cpu", **self.export))
        file = out / f"{name}.onnx"
        shutil.move(made, file)
        found, judge = {}, kind(file) if kind is RTDETR else kind(file, task=model.task)
        for f in files:
            r = judge.predict(str(f), imgsz=self.size, device="cpu", **{"conf": FLOOR, "verbose": False, **self.predict})[0]
            found[f.name] = read(r)
        return {"exporter": f"ultralytics {ultralytics.__version__}", "labels": list(r.names.values()), "found": found}


def letterboxed(file, size):
    from ultralytics.data.augment import LetterBox

    im = LetterBox(size if isinstance(size, list) else (size, size), auto=False)(image=cv2.imread(str(file)))
    return torch.from_numpy(np.ascontiguousarray(im[..., ::-1].transpose(2, 0, 1))).float()[None] / 255


def read(r):
    """What Ultralytics' Results hold."""
    if r.probs is not None:
        return [{"label": r.names[k], "score": float(r.probs.data[k]), "box": [0, 0, r.orig_shape[1], r.orig_shape[0]]} for k in r.probs.top5]
    rows = []
    if r.obb is not None:
        for corners, envelope, conf, cls in zip(r.obb.xyxyxyxy.tolist(), r.obb.xyxy.tolist(), r.obb.conf.tolist(), r.obb.cls.tolist()):
            rows.append({"label": r.names[int(cls)], "score": conf, "box": side(envelope), "corners": corners})
        return rows
    for i, (box, conf, cls) in enumerate(zip(r.boxes.xyxy.tolist(), r.boxes.conf.tolist(), r.boxes.cls.tolist())):
        row = {"label": r.names[int(cls)], "score": conf, "box": side(box)}
        if r.keypoints is not None:
            row["keypoints"] = r.keypoints.data[i].tolist()
        if r.masks is not None:
            row["area"] = area(r.masks.data[i].numpy(), r.orig_shape)
        rows.append(row)
    return rows


def area(mask, shape):
    """Pixels of the picture that the largest part of a mask of the network's input covers, holes too."""
    gain = min(mask.shape[0] / shape[0], mask.shape[1] / shape[1])
    h, w = (round(s * gain) for s in shape)
    top, left = (round((m - s) / 2 - 0.1) for m, s in zip(mask.shape, (h, w)))
    mask = mask[top : top + h, left : left + w]  # without the letterbox's border
    borders, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = [cv2.drawContours(np.zeros(mask.shape, np.uint8), borders, i, 1, -1).sum() for i in range(len(borders))]
    return float(max(filled, default=0)) / gain**2


def side(b):
    return [b[0], b[1], b[2] - b[0], b[3] - b[1]]


CASES = {
    "v5u": Ultralytics("yolov5n.yaml"),
    "v8": Ultralytics("yolov8n.yaml"),
    "v8_one_class": Ultralytics("yolov8n.yaml", classes=1),
    "v8_two_classes": Ultralytics("yolov8n.yaml", classes=2),
    "v9": Ultralytics("yolov9t.yaml"),
    "v11": Ultralytics("yolo11n.yaml"),
    "v11_80": Ultralytics("yolo11n.yaml", classes=80),
    "v11_wide": Ultralytics("yolo11n.yaml", size=[96, 160]),
    "v11_dynamic": Ultralytics("yolo11n.yaml", export={"dynamic": True}),
    "v11_plain": Ultralytics("yolo11n.yaml", export={"simplify": False}),
    "v11_opset11": Ultralytics("yolo11n.yaml", export={"opset": 11}),
    "v11_opset22": Ultralytics("yolo11n.yaml", export={"opset": 22}),
    "v11_batch": Ultralytics("yolo11n.yaml", export={"batch": 2}),
    "v11_nms": Ultralytics("yolo11n.yaml", export={"nms": True, "conf": FLOOR}),
    "v11_nms_dynamic": Ultralytics("yolo11n.yaml", export={"nms": True, "conf": FLOOR, "dynamic": True}),
    "v11_seg": Ultralytics("yolo11n-seg.yaml"),
    "v11_seg_nms": Ultralytics("yolo11n-seg.yaml", export={"nms": True, "conf": FLOOR}),
    "v11_pose": Ultralytics("yolo11n-pose.yaml", classes=1, kpt=[5, 3]),
    "v11_pose_flat": Ultralytics("yolo11n-pose.yaml", classes=2, kpt=[4, 2]),
    "v11_pose_nms": Ultralytics("yolo11n-pose.yaml", classes=1, kpt=[17, 3], export={"nms": True, "conf": FLOOR}),
    "v11_obb": Ultralytics("yolo11n-obb.yaml"),
    "v11_obb_nms": Ultralytics("yolo11n-obb.yaml", export={"nms": True, "conf": FLOOR}),
    "v11_cls": Ultralytics("yolo11n-cls.yaml", classes=7, size=64),
    "v10": Ultralytics("yolov10n.yaml"),
    "v10_end2end": Ultralytics("yolov10n.yaml", export={"nms": False}),
    "v26": Ultralytics("yolo26n.yaml"),
    "v26_nms": Ultralytics("yolo26n.yaml", export={"nms": True, "conf": FLOOR}),
    "v26_end2end": Ultralytics("yolo26n.yaml", export={"nms": False}),
    "v26_seg": Ultralytics("yolo26n-seg.yaml"),
    "v26_seg_end2end": Ultralytics("yolo26n-seg.yaml", export={"nms": False}),
    "v26_pose_end2end": Ultralytics("yolo26n-pose.yaml", classes=1, kpt=[17, 3], export={"nms": False}),
    "v26_obb": Ultralytics("yolo26n-obb.yaml"),
    "v26_obb_end2end": Ultralytics("yolo26n-obb.yaml", export={"nms": False}),
    "v12": Ultralytics("yolo12n.yaml"),
    "rtdetr": Ultralytics("rtdetr-resnet50.yaml"),
    "rtdetr_raw": Ultralytics("rtdetr-resnet50.yaml", export={"nms": False}),
}

CASES |= others.CASES


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--out", type=pathlib.Path)
    p.add_argument("--list", action="store_true")
    p.add_argument("cases", nargs="*")
    a = p.parse_args()
    if a.list:
        print("\n".join(CASES))
        return 0
    if unknown := [c for c in a.cases if c not in CASES]:
        p.error(f"no case {unknown}")
    torch.set_num_threads(2)
    drawn = {"pictures": draw(a.out / "pictures"), "squares": draw(a.out / "squares", 2, sizes=[(384, 384)])}
    failed = 0
    for name in a.cases or CASES:
        try:
            pictures = getattr(CASES[name], "pictures", "pictures")
            told = {"pictures": pictures, **CASES[name].make(a.out, name, drawn[pictures])}
        except Exception as e:
            failed += 1
            print(f"{name}: not made: {type(e).__name__}: {e}", file=sys.stderr)
            if os.environ.get("TRACE"):
                raise
            continue
        told = {"floor": FLOOR, **told}
        (a.out / f"{name}.json").write_text(json.dumps(told))
        print(f"{name}: {told['exporter']}, {[len(v) for v in told['found'].values()]} found", flush=True)
    shutil.rmtree(a.out / ".work", ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
