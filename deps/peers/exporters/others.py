"""Networks of torchvision, YOLOX and RF-DETR, each with what its own code finds."""

import contextlib
import io

import cv2
import numpy as np
import torch

FLOOR = 0.05
NAMES = ["square", "disc", "bar"]


def side(b):
    return [float(b[0]), float(b[1]), float(b[2] - b[0]), float(b[3] - b[1])]


def session(file):
    import onnxruntime

    return onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])


def export(model, inputs, file, names_in, names_out, opset=17, **more):
    with contextlib.redirect_stdout(io.StringIO()):
        torch.onnx.export(model, inputs, str(file), input_names=names_in, output_names=names_out, opset_version=opset, dynamo=False, **more)


def rows(boxes, scores, classes, names):
    found = []
    for b, s, k in zip(boxes, scores, classes):
        if float(s) > FLOOR and 0 <= int(k) < len(names):
            found.append({"label": names[int(k)], "score": float(s), "box": side(b)})
    return found


def named(file):
    """A file of labels beside the network."""
    file.with_suffix(".txt").write_text("\n".join(NAMES) + "\n")


def normalised(net, x):
    """Lets the normalisations of a random network measure what they see, so that it differs from place to place."""
    norms = [m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for m in norms:
        m.reset_running_stats()
        m.momentum = None
        m.train()
    with torch.no_grad():
        for _ in range(2):
            net(x)
    for m in norms:
        m.eval()
        m.momentum = 0.03


def raised(layer, run, above, deviation=1.5):
    """Sets a last layer so that a share of all values is above the floor."""
    outs = []
    hook = layer.register_forward_hook(lambda m, i, o: outs.append(o.detach()))
    with torch.no_grad():
        run()
    hook.remove()
    v = torch.cat([o.flatten() for o in outs])
    scale = deviation / float(v.std() + 1e-9)
    shift = float(np.log(FLOOR / (1 - FLOOR))) - float(torch.quantile((v - v.mean())[:1000000] * scale, 1 - above))
    layer.weight.data *= scale
    layer.bias.data = (layer.bias.data - v.mean()) * scale + shift


class YOLOX:
    def __init__(self, decoded, size=160):
        self.decoded, self.size = decoded, size

    def make(self, out, name, files):
        import yolox
        from yolox.data.data_augment import preproc
        from yolox.models import YOLOPAFPN, YOLOX as Net, YOLOXHead
        from yolox.models.network_blocks import SiLU
        from yolox.utils import demo_postprocess, postprocess, replace_module

        torch.manual_seed(5)
        net = Net(YOLOPAFPN(0.33, 0.25, depthwise=True), YOLOXHead(len(NAMES), 0.25, depthwise=True)).eval()
        size = (self.size, self.size)
        x = torch.stack([torch.from_numpy(preproc(cv2.imread(str(f)), size)[0]) for f in files])
        normalised(net, x)
        head = net.head
        for preds, above in ((head.obj_preds, 0.3), (head.cls_preds, 0.2)):
            for conv in preds:
                raised(conv, lambda: net(x), above)
        for conv in head.reg_preds:
            conv.weight.data *= 0.1
        # As YOLOX's tools/export_onnx.py does.
        net = replace_module(net, torch.nn.SiLU, SiLU)
        net.head.decode_in_inference = self.decoded
        file = out / f"{name}.onnx"
        export(net, torch.randn(1, 3, *size), file, ["images"], ["output"], opset=11)
        named(file)
        s, found = session(file), {}
        for f in files:
            im, ratio = preproc(cv2.imread(str(f)), size)
            answer = s.run(None, {"images": im[None]})[0]
            if not self.decoded:
                answer = demo_postprocess(answer, size)
            best = postprocess(torch.from_numpy(answer), len(NAMES), FLOOR, 0.45)[0]
            found[f.name] = [] if best is None else rows(best[:, :4] / ratio, best[:, 4] * best[:, 5], best[:, 6], NAMES)
        return {"exporter": f"yolox {yolox.__version__}", "labels": NAMES, "found": found}


class Torchvision:
    """Pictures are scaled by cv2 to the size of the exported input; the rest is in the network."""

    def __init__(self, kind, size=(320, 240)):
        self.kind, self.size = kind, size

    def make(self, out, name, files):
        import torchvision
        from torchvision.models import detection

        torch.manual_seed(11)
        small = {"min_size": 160, "max_size": 224} if "ssd" not in self.kind else {}
        net = getattr(detection, self.kind)(weights=None, weights_backbone=None, num_classes=len(NAMES) + 1, **small).eval()
        w, h = self.size
        x = [torch.from_numpy(self.seen(f)) for f in files]
        norms = [m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)]
        normalised(net, x) if norms else None
        heads = {"fasterrcnn": lambda: [net.roi_heads.box_predictor.cls_score], "retinanet": lambda: [net.head.classification_head.cls_logits],
                 "fcos": lambda: [net.head.classification_head.cls_logits], "ssd": lambda: [list(m.modules())[-1] for m in net.head.classification_head.module_list]}
        kind = next(k for k in heads if self.kind.startswith(k))
        for layer in heads[kind]():
            raised(layer, lambda: net(x), 0.02 if kind in ("retinanet", "fcos") else 0.2)
        if kind == "fcos":
            net.head.regression_head.bbox_reg.weight.data *= 0.1
            net.head.regression_head.bbox_reg.bias.data += 1
        file = out / f"{name}.onnx"
        export(net, ([x[0]],), file, ["image"], ["boxes", "scores", "labels"] if kind in ("retinanet", "fcos", "ssd") else ["boxes", "labels", "scores"], opset=17)
        named(file)
        s, found = session(file), {}
        for f in files:
            got = dict(zip([o.name for o in s.get_outputs()], s.run(None, {"image": self.seen(f)})))
            ph, pw = cv2.imread(str(f)).shape[:2]
            boxes = got["boxes"] * np.array([pw / w, ph / h] * 2, np.float32)
            found[f.name] = rows(boxes, got["scores"], got["labels"] - 1, NAMES)
        return {"exporter": f"torchvision {torchvision.__version__}, torch {torch.__version__}", "labels": NAMES, "found": found}

    def seen(self, file):
        im = cv2.resize(cv2.imread(str(file)), self.size, interpolation=cv2.INTER_LINEAR)
        return np.ascontiguousarray(im[..., ::-1].transpose(2, 0, 1)).astype(np.float32) / 255


class RFDETR:
    """On pictures of the network's own size: it ranks what it sees, and a random one ranks otherwise when one
    pixel is rounded otherwise."""

    pictures = "squares"

    def make(self, out, name, files):
        import rfdetr
        from importlib.metadata import version
        from rfdetr.export._onnx.inference import _create_onnx_session, _run_inference

        torch.manual_seed(17)
        m = rfdetr.RFDETRNano(pretrain_weights=None, num_classes=len(NAMES), device="cpu", resolution=384)
        net = m.model.model.eval()
        x = torch.stack([torch.from_numpy(cv2.resize(cv2.imread(str(f)), (384, 384))[..., ::-1].transpose(2, 0, 1).copy()).float() / 255 for f in files])
        x = (x - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor([0.229, 0.224, 0.225])[:, None, None]
        for part, layer in net.named_modules():  # small steps from where the queries look: no negative sizes
            if "bbox_embed" in part and part.endswith("layers.2"):
                layer.weight.data *= 0.02
                layer.bias.data *= 0
        raised(net.class_embed, lambda: net(x), 0.1)
        work = out / ".work" / name
        work.mkdir(parents=True, exist_ok=True)
        made = m.export(output_dir=str(work), shape=(384, 384), verbose=False)
        file = out / f"{name}.onnx"
        next(work.rglob("*.onnx")).rename(file)
        named(file)
        s, found = _create_onnx_session(file), {}
        for f in files:
            d, _ = _run_inference(s, f, threshold=FLOOR)
            found[f.name] = rows(d.xyxy, d.confidence, d.class_id, NAMES)
        return {"exporter": f"rfdetr {version('rfdetr')}", "labels": NAMES, "found": found}


CASES = {
    "yolox": YOLOX(False),
    "yolox_decoded": YOLOX(True),
    "torchvision_fasterrcnn": Torchvision("fasterrcnn_mobilenet_v3_large_320_fpn"),
    "torchvision_retinanet": Torchvision("retinanet_resnet50_fpn"),
    "torchvision_fcos": Torchvision("fcos_resnet50_fpn"),
    "torchvision_ssdlite": Torchvision("ssdlite320_mobilenet_v3_large", size=(320, 320)),
    "rfdetr": RFDETR(),
}
