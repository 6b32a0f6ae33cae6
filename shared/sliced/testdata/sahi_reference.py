"""Writes sahi_reference.json: what SAHI makes of made-up boxes and picture sizes.

Run in an environment with the sahi package (0.12.8 made the file that is kept):
    python sahi_reference.py > sahi_reference.json
"""
import json
import random

from sahi.postprocess.backends import set_postprocess_backend
from sahi.postprocess.combine import GreedyNMMPostprocess, NMMPostprocess, NMSPostprocess
from sahi.prediction import ObjectPrediction
from sahi.slicing import get_slice_bboxes

set_postprocess_backend("numpy")
rng = random.Random(7)
ways = {"GREEDYNMM": GreedyNMMPostprocess, "NMM": NMMPostprocess, "NMS": NMSPostprocess}
out = {"merges": [], "slices": []}
for case in range(4):
    boxes = []
    for _ in range(12):  # objects, each seen several times
        x, y, w, h = rng.randint(0, 160), rng.randint(0, 160), rng.randint(8, 60), rng.randint(8, 60)
        for _ in range(rng.randint(1, 4)):
            dx, dy = rng.randint(-9, 9), rng.randint(-9, 9)
            # Whole numbers and eighths are the same in float32 and float64.
            boxes.append([x + dx, y + dy, w + rng.randint(-6, 20), h + rng.randint(-6, 20),
                          rng.randint(20, 120) / 128, rng.randint(0, 1)])
    boxes = [b for b in boxes if b[0] >= 0 and b[1] >= 0 and b[2] > 0 and b[3] > 0]
    for way, kind in ways.items():
        for metric in ("IOS", "IOU"):
            for threshold in (0.3, 0.5, 0.7):
                for agnostic in (False, True):
                    preds = [ObjectPrediction(bbox=[x, y, x + w, y + h], score=s, category_id=c, category_name=str(c))
                             for x, y, w, h, s, c in boxes]
                    done = kind(match_threshold=threshold, match_metric=metric, class_agnostic=agnostic)(preds)
                    out["merges"].append({"case": case, "type": way, "metric": metric, "threshold": threshold, "agnostic": agnostic,
                                          "out": sorted([*map(float, p.bbox.to_xywh()), p.score.value, p.category.id] for p in done)})
    out.setdefault("boxes", []).append(boxes)
for w, h, sw, sh, rw, rh in [(1000, 800, 512, 512, 0.2, 0.2), (512, 512, 512, 512, 0.2, 0.2), (300, 200, 512, 256, 0.2, 0.1),
                             (1068, 580, 256, 256, 0.2, 0.2), (921, 1331, 333, 100, 0.37, 0.5), (10980, 10980, 1024, 640, 0.25, 0)]:
    s = get_slice_bboxes(h, w, sh, sw, overlap_height_ratio=rh, overlap_width_ratio=rw, auto_slice_resolution=False)
    out["slices"].append({"size": [w, h], "slice": [sw, sh], "ratio": [rw, rh], "out": s})
print(json.dumps(out, separators=(",", ":")))
