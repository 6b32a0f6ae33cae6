"""Makes coco_reference.json: random labels and detections, and what pycocotools says of them.

Usage: python coco_reference.py > coco_reference.json   (pycocotools 2.0, numpy)
       python coco_reference.py LABELS RESULTS           prints the figures of given files
"""
import contextlib, io, json, sys
import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

NAMES = ["AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large",
         "AR_1", "AR_10", "AR_100", "AR_small", "AR_medium", "AR_large"]


def figures(truth, found):
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        e = COCOeval(coco, coco.loadRes(found), "bbox")
        e.evaluate(), e.accumulate(), e.summarize()
    return dict(zip(NAMES, map(float, e.stats)))


def random_case(seed, pictures, first_id):
    r = np.random.default_rng(seed)
    images = [dict(id=i * 7 + 1, file_name=f"{i}.png", width=640, height=480) for i in range(pictures)]
    categories = [dict(id=c, name=n) for c, n in [(1, "person"), (3, "car"), (18, "dog"), (44, "bottle")]]
    annotations, found = [], []
    for im in images:
        for c in (1, 3, 18):  # nobody labelled a bottle
            for _ in range(r.integers(0, 5)):
                w, h = np.round(np.exp(r.uniform(2, 5.5, 2)), 1)
                x, y = np.round(r.uniform(0, 300, 2), 1)
                crowd = int(r.random() < 0.15)
                annotations.append(dict(id=len(annotations) + first_id, image_id=im["id"], category_id=c, iscrowd=crowd,
                                        bbox=[x, y, w, h], area=round(w * h * r.uniform(0.5, 1), 1)))
                for _ in range(r.integers(0, 4)):
                    shift = r.normal(0, 0.12, 4)
                    box = [x + shift[0] * w, y + shift[1] * h, w * np.exp(shift[2]), h * np.exp(shift[3])]
                    found.append(dict(image_id=im["id"], category_id=int(r.choice([c, c, c, 44])),
                                      bbox=[round(float(v), 2) for v in box], score=round(float(r.random()), 2)))
            for _ in range(r.integers(0, 3)):
                found.append(dict(image_id=im["id"], category_id=c, score=round(float(r.random()), 2),
                                  bbox=[round(float(v), 2) for v in r.uniform(5, 200, 4)]))
    if pictures > 3:  # more in one picture than are counted
        for k in range(130):
            found.append(dict(image_id=1, category_id=1, score=round(k / 130, 3), bbox=[k, k, 20 + k, 30]))
    return dict(images=images, categories=categories, annotations=annotations), found


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(figures(json.load(open(sys.argv[1])), json.load(open(sys.argv[2]))), indent=1))
        sys.exit()
    cases = []
    for name, args in [("crowds, sizes and ties", (1, 12, 1)), ("annotations counted from 0", (2, 3, 0)), ("one picture", (3, 1, 1))]:
        truth, found = random_case(*args)
        cases.append(dict(name=name, truth=truth, found=found, want=figures(truth, found)))
    print(json.dumps(cases, separators=(",", ":")))
