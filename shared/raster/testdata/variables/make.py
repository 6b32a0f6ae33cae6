"""Makes the files of variables that the tests read: numpy, rasterio, and the HDF5 library by ctypes.

bands.nc and classic.nc hold six bands of 60 x 60 pixels, 0.2 of reflectance but blue, 0.3, and the first
pixel without data. The others are HDF5 files whose data lie, or seem to lie, in another file: bait.tif."""
import ctypes, ctypes.util, glob, os
import numpy as np, rasterio, rasterio.shutil
from rasterio.transform import from_origin

NAMES = ["blue", "green", "red", "nir", "swir16", "swir22"]
with rasterio.open("tmp.tif", "w", driver="GTiff", width=60, height=60, count=6, dtype="uint16", nodata=0,
                   crs="EPSG:32634", transform=from_origin(300000, 6100020, 10, 10)) as f:
    for b, name in enumerate(NAMES, 1):
        a = np.full((60, 60), 4000 if b == 1 else 3000, "uint16")
        a[0, 0] = 0
        f.write(a, b)
        f.update_tags(b, NETCDF_VARNAME=name)
    f.scales, f.offsets = [0.0001] * 6, [-0.1] * 6
    f.update_tags(**{"NC_GLOBAL#time_coverage_start": "2023-08-23T09:55:59.024Z"})
rasterio.shutil.copy("tmp.tif", "bands.nc", driver="netCDF", FORMAT="NC4", COMPRESS="DEFLATE")
rasterio.shutil.copy("tmp.tif", "classic.nc", driver="netCDF", FORMAT="NC")
os.remove("tmp.tif")
nc = ctypes.CDLL(glob.glob("/usr/lib/*/libnetcdf.so*")[0])
for file in (b"bands.nc", b"classic.nc"):  # GDAL puts the band's number behind the name
    n = ctypes.c_int()
    assert nc.nc_open(file, 1, ctypes.byref(n)) == 0
    nc.nc_redef(n)
    for b, name in enumerate(NAMES, 1):
        v = ctypes.c_int()
        assert nc.nc_inq_varid(n, f"{name}{b}".encode(), ctypes.byref(v)) == 0
        assert nc.nc_rename_var(n, v, name.encode()) == 0
    assert nc.nc_close(n) == 0
for x in glob.glob("*.aux.xml"):
    os.remove(x)

h = ctypes.CDLL(glob.glob("/usr/lib/*/libhdf5_serial.so*")[0])
I = ctypes.c_int64
for name in "H5Fcreate H5Screate_simple H5Pcreate H5Dcreate2".split():
    getattr(h, name).restype = I
h.H5open()
glob_id = lambda name: I.in_dll(h, name)
DCPL, BYTE = glob_id("H5P_CLS_DATASET_CREATE_ID_g"), glob_id("H5T_NATIVE_UINT8_g")
NONE, TRUNC = I(0), ctypes.c_uint(2)


def space(n=60):
    return I(h.H5Screate_simple(2, (ctypes.c_uint64 * 2)(n, n), None))


def dataset(f, name, plan=NONE):
    d = h.H5Dcreate2(f, name, BYTE, space(), NONE, plan, NONE)
    assert d >= 0, name
    h.H5Dclose(I(d))


f = I(h.H5Fcreate(b"link.h5", TRUNC, NONE, NONE))
dataset(f, b"green"); dataset(f, b"red")
assert h.H5Lcreate_external(b"bait.tif", b"/blue", f, b"blue", NONE, NONE) >= 0
h.H5Fclose(f)

f = I(h.H5Fcreate(b"raw.h5", TRUNC, NONE, NONE))
dataset(f, b"green"); dataset(f, b"red")
plan = I(h.H5Pcreate(DCPL))
assert h.H5Pset_external(plan, b"bait.tif", ctypes.c_long(0), ctypes.c_uint64(3600)) >= 0
dataset(f, b"blue", plan)
h.H5Fclose(f)

f = I(h.H5Fcreate(b"virtual.h5", TRUNC, NONE, NONE))
dataset(f, b"green"); dataset(f, b"red")
plan = I(h.H5Pcreate(DCPL))
assert h.H5Pset_virtual(plan, space(), b"bait.tif", b"/blue", space()) >= 0
dataset(f, b"blue", plan)
h.H5Fclose(f)
