"""The peers of the link's tiles: JPEG XL at effort 3 and JPEG-LS, both without loss, each band of a whole scene by
itself on one thread. codecs.py BANDS.npy prints bytes, and seconds of the processor for writing and reading."""
import json, sys, time

import imagecodecs, numpy

bands = [numpy.ascontiguousarray(b) for b in numpy.load(sys.argv[1])]


def peer(encode, decode):
    start = time.process_time()
    coded = [encode(b) for b in bands]
    written = time.process_time()
    for band, data in zip(bands, coded):
        assert (decode(data) == band).all()
    return {"bytes": sum(map(len, coded)), "encode": written - start, "decode": time.process_time() - written}


print(json.dumps({
    "jxl": peer(lambda b: imagecodecs.jpegxl_encode(b, lossless=True, effort=3, numthreads=1), lambda d: imagecodecs.jpegxl_decode(d, numthreads=1)),
    "jls": peer(imagecodecs.jpegls_encode, imagecodecs.jpegls_decode),
}))
