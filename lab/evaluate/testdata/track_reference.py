"""Makes track_reference.json: what TrackEval says of labels.txt and tracks.txt.

Usage: python track_reference.py > track_reference.json   (TrackEval 1.3, numpy, scipy)
The files come from the simulated crowd (Crowd.Walk with 9 objects, 70 frames of 480 x 300, seed 5, miss
0.15) and a follower with a gap of 2. Once all labels count ("plain", MOT15's way), once people 2 and 4
are labelled as distractors and 6 as not to be counted ("classes", MOT17's way).
"""
import contextlib, io, json, os, shutil, sys, tempfile
import trackeval

HERE = os.path.dirname(os.path.abspath(__file__))


def figures(benchmark, labels):
    with tempfile.TemporaryDirectory() as d, contextlib.redirect_stdout(io.StringIO()):
        seq = f"{benchmark}-01"
        gt = f"{d}/gt/{benchmark}-train/{seq}"
        os.makedirs(f"{gt}/gt")
        os.makedirs(f"{d}/tr/{benchmark}-train/t/data")
        os.makedirs(f"{d}/gt/seqmaps")
        with open(f"{gt}/gt/gt.txt", "w") as f:
            f.writelines(labels)
        with open(f"{gt}/seqinfo.ini", "w") as f:
            f.write(f"[Sequence]\nname={seq}\nseqLength=70\n")
        with open(f"{d}/gt/seqmaps/{benchmark}-train.txt", "w") as f:
            f.write(f"name\n{seq}\n")
        shutil.copy(f"{HERE}/tracks.txt", f"{d}/tr/{benchmark}-train/t/data/{seq}.txt")
        data = trackeval.datasets.MotChallenge2DBox(dict(
            GT_FOLDER=f"{d}/gt", TRACKERS_FOLDER=f"{d}/tr", BENCHMARK=benchmark, SPLIT_TO_EVAL="train", PRINT_CONFIG=False))
        e = trackeval.Evaluator(dict(PRINT_RESULTS=False, PRINT_CONFIG=False, OUTPUT_SUMMARY=False, OUTPUT_DETAILED=False, PLOT_CURVES=False, TIME_PROGRESS=False, OUTPUT_EMPTY_CLASSES=False, BREAK_ON_ERROR=True))
        metrics = [trackeval.metrics.HOTA(), trackeval.metrics.CLEAR(dict(PRINT_CONFIG=False)), trackeval.metrics.Identity(dict(PRINT_CONFIG=False))]
        r, _ = e.evaluate([data], metrics)
    r = r["MotChallenge2DBox"]["t"][seq]["pedestrian"]
    h, c, i = r["HOTA"], r["CLEAR"], r["Identity"]
    return dict(HOTA=h["HOTA"].mean(), DetA=h["DetA"].mean(), AssA=h["AssA"].mean(), LocA=h["LocA"].mean(),
                HOTA_of_IoU=[float(v) for v in h["HOTA"]], IDF1=i["IDF1"], IDP=i["IDP"], IDR=i["IDR"], MOTA=c["MOTA"], MOTP=c["MOTP"],
                **{name: int(c[theirs]) for name, theirs in dict(id_switches="IDSW", missed="CLR_FN", wrong="CLR_FP",
                                                                 fragments="Frag", mostly_tracked="MT", mostly_lost="ML").items()})


with open(f"{HERE}/labels.txt") as f:
    lines = f.readlines()
plain = [",".join(l.split(",")[:6]) + ",1,-1,-1,-1\n" for l in lines]
json.dump(dict(plain=figures("MOT15", plain), classes=figures("MOT17", lines)), sys.stdout, indent=1, default=float)
print()
