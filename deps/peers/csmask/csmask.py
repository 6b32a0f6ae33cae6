"""The scene's peer: ukis-csmask's own package over a GeoTIFF of six bands. csmask.py SCENE MASK.npy writes
what is cloud, and prints {"seconds": from the open file to the mask, "peak_mib": of this process}."""
import json, resource, sys, time, warnings

import numpy, rasterio
from ukis_csmask.mask import CSmask

warnings.filterwarnings("ignore")
scene, to = sys.argv[1:]
start = time.time()
with rasterio.open(scene) as d:
    image = d.read().astype(numpy.float32).transpose(1, 2, 0) * 0.0001
mask = CSmask(numpy.ascontiguousarray(image), ["blue", "green", "red", "nir", "swir16", "swir22"]).csm.squeeze()
seconds = time.time() - start
numpy.save(to, mask == 1)
print(json.dumps({"seconds": seconds, "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
