package raster

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/airbusgeo/godal"
	"golang.org/x/sys/unix"

	"cloudcanvas/shared/vision"
)

// bait is an address and a file that nothing may touch.
type bait struct {
	t       *testing.T
	address string // of a listener
	file    string
	calls   atomic.Int64
	watch   int
}

func newBait(t *testing.T) *bait {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &bait{t: t, address: l.Addr().String(), file: filepath.Join(t.TempDir(), "bait.tif")}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			b.calls.Add(1)
			conn.Close()
		}
	}()
	if err := os.WriteFile(b.file, []byte("GEOGCS[\"bait\"]\nII*\x00 secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	if b.watch, err = unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC); err == nil {
		_, err = unix.InotifyAddWatch(b.watch, b.file, unix.IN_OPEN|unix.IN_ACCESS)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(); unix.Close(b.watch) })
	return b
}

// untouched fails where the bait was taken since the last look.
func (b *bait) untouched(what string) {
	b.t.Helper()
	if n := b.calls.Swap(0); n > 0 {
		b.t.Errorf("%s: %d connections", what, n)
	}
	var events [4096]byte
	if n, err := unix.Read(b.watch, events[:]); n > 0 || !errors.Is(err, unix.EAGAIN) {
		b.t.Errorf("%s: the file was opened (%v)", what, err)
	}
}

func TestTheBaitWorks(t *testing.T) {
	b := newBait(t)
	if _, err := os.ReadFile(b.file); err != nil {
		t.Fatal(err)
	}
	var events [4096]byte
	if n, err := unix.Read(b.watch, events[:]); n <= 0 {
		t.Fatal("an open is not seen", err)
	}
}

const mercator = `PROJCS["x",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],` +
	`PROJECTION["Mercator_1SP"],PARAMETER["central_meridian",0],PARAMETER["scale_factor",1],PARAMETER["false_easting",0],PARAMETER["false_northing",0],UNIT["metre",1],` +
	`EXTENSION["PROJ4","+proj=merc +a=6378137 +b=6378137 +lat_ts=0 +lon_0=0 +x_0=0 +y_0=0 +k=1 +units=m +nadgrids=%s +wktext +no_defs"]]`

func TestAGeoreferenceFromOutsideReachesNothing(t *testing.T) {
	b := newBait(t)
	nested := strings.Repeat(`PROJCS["a",`, 2000) + strings.Repeat("]", 2000)
	for _, wkt := range []string{
		"http://" + b.address + "/crs", "https://" + b.address + "/crs", "HTTP://" + b.address + "/crs", " http://" + b.address, "ESRI::http://" + b.address,
		b.file, "file://" + b.file, "/vsicurl/http://" + b.address + "/x", "/vsimem/x", filepath.Base(b.file),
		"EPSG:4326", "urn:ogc:def:crs:EPSG::4326", "+proj=longlat +datum=WGS84", "+proj=longlat +nadgrids=" + b.file, "+init=" + b.file + ":1",
		`{"type":"GeographicCRS","name":"x"}`, "<gml:x xmlns:gml='http://" + b.address + "'/>", "OGC:CRS84", "IGNF:LAMB93", "WGS84", "\x00PROJCS[", "PROJCS", "PROJCS[", "PROJCS[\"x\"]",
		fmt.Sprintf(mercator, b.file), fmt.Sprintf(mercator, "@"+b.file), fmt.Sprintf(mercator, "http://"+b.address+"/g"), nested,
		`BOUNDCRS[SOURCECRS[GEOGCRS["x",DATUM["y",ELLIPSOID["z",6378137,298.2]],CS[ellipsoidal,2],AXIS["lat",north],AXIS["lon",east],ANGLEUNIT["degree",0.0174532925199433]]],` +
			`TARGETCRS[GEOGCRS["WGS 84",DATUM["World Geodetic System 1984",ELLIPSOID["WGS 84",6378137,298.257223563]],CS[ellipsoidal,2],AXIS["lat",north],AXIS["lon",east],ANGLEUNIT["degree",0.0174532925199433]]],` +
			`ABRIDGEDTRANSFORMATION["t",METHOD["NTv2",ID["EPSG",9615]],PARAMETERFILE["Latitude and longitude difference file","` + b.file + `"]]]`,
	} {
		g := Georef{WKT: wkt, Transform: [6]float64{10, 0.001, 0, 50, 0, -0.001}}
		what := fmt.Sprintf("%.60q", wkt)
		for name, err := range map[string]error{
			"check": g.Check(), "footprint": second(Footprint(g, Window{W: 8, H: 8})), "places": second(NewPlaces(g)),
			"mask": second(CreateMask(filepath.Join(t.TempDir(), "mask.tif"), 8, 8, g)),
			"tile": second(EncodeTile(vision.Image{W: 8, H: 8, Bands: []string{"red"}, Planes: [][]float32{make([]float32, 64)}}, g, Coding{})),
		} {
			if !errors.Is(err, ErrGeoref) {
				t.Errorf("%s: %s says %v", what, name, err)
			}
		}
		b.untouched(what)
	}
}

func second[T any](_ T, err error) error { return err }

func TestHonestGeoreferencesPass(t *testing.T) {
	started()
	for _, code := range []int{4326, 3857, 32632, 2056, 27700, 3035, 31467, 25832, 5514} {
		system, err := godal.NewSpatialRefFromEPSG(code, reportErrors)
		if err != nil {
			t.Fatal(err)
		}
		wkt, err := system.WKT()
		system.Close()
		if err != nil {
			t.Fatal(err)
		}
		if err := (Georef{WKT: wkt, EPSG: code, Transform: [6]float64{0, 1, 0, 0, 0, -1}}).Check(); err != nil {
			t.Errorf("EPSG:%d: %v", code, err)
		}
	}
	if err := (Georef{}).Check(); err != nil {
		t.Error(err)
	}
	if err := (Georef{WKT: fmt.Sprintf(mercator, "@null")}).Check(); err != nil {
		t.Error(err)
	}
}

func TestNamesThatAreNoFilesHereLeadNowhere(t *testing.T) {
	b := newBait(t)
	started()
	for _, name := range []string{"/vsicurl/http://%s/x.tif", "/vsicurl?url=http://%s/x.tif", "/vsicurl_streaming/http://%s/x.tif", "/vsizip//vsicurl/http://%s/x.zip/x.tif",
		"http://%s/x.tif", "WMS:http://%s/", "WMTS:http://%s/", "WCS:http://%s/", "OGCAPI:http://%s/", `STACIT:"http://%s/x"`, "<GDAL_WMS><Service name=\"TMS\"><ServerUrl>http://%s/</ServerUrl></Service></GDAL_WMS>",
		"vrt:///vsicurl/http://%s/x.tif", "<VRTDataset rasterXSize=\"1\" rasterYSize=\"1\"><SRS>http://%s/srs</SRS><VRTRasterBand/></VRTDataset>"} {
		name = fmt.Sprintf(name, b.address)
		if _, err := Open(name, Options{}); err == nil {
			t.Errorf("%s opens", name)
		}
		if ds, err := godal.Open(name, reportErrors); err == nil { // as GDAL meets it within something else
			ds.Close()
		}
		b.untouched(name)
	}
	ds, err := godal.Create(godal.Memory, "", 1, godal.Byte, 4, 4, reportErrors)
	if err != nil {
		t.Fatal(err)
	}
	defer ds.Close()
	ds.SetProjection("http://"+b.address+"/crs", reportErrors)
	b.untouched("SetProjection")
}

func TestAPictureWithAnAddressForItsSystemIsReadWithoutIt(t *testing.T) {
	b := newBait(t)
	g, err := UTM(32, true, 500000, 5400000, 10)
	if err != nil {
		t.Fatal(err)
	}
	ds, err := godal.Create(godal.Memory, "", 1, godal.Byte, 64, 64, reportErrors)
	if err != nil {
		t.Fatal(err)
	}
	defer ds.Close()
	if err := g.place(ds); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x.jp2")
	out, err := ds.Translate(path, []string{"-of", "JP2OpenJPEG"}, godal.CreationOption("GMLJP2=YES", "GeoJP2=NO"), reportErrors)
	if err != nil {
		t.Skip("GDAL here writes no JPEG 2000: ", err)
	}
	out.Close()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, old := range []string{"urn:ogc:def:crs:EPSG::32632", "http://www.opengis.net/def/crs/EPSG/0/32632"} {
		for _, address := range []string{"http://" + b.address + "/", b.file} {
			if len(address) > len(old) {
				address = "../" + filepath.Base(b.file)
			}
			evil := strings.ReplaceAll(string(data), old, address+strings.Repeat("/", len(old)-len(address)))
			if err := os.WriteFile(path, []byte(evil), 0o644); err != nil {
				t.Fatal(err)
			}
			if s, err := Open(path, Options{Bands: []string{"red"}}); err == nil {
				s.Close()
			}
			b.untouched(address)
		}
	}
}

func TestNothingIsLeftBesideAScene(t *testing.T) {
	dir := t.TempDir()
	g, err := UTM(32, true, 500000, 5400000, 10)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "x.tif")
	w, err := Create(path, Layout{Width: 16, Height: 16, Bands: []string{"red"}, DataType: "Byte", Georef: g, Metadata: map[string]string{"A": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	for _, side := range []string{"x.tif.aux.xml", "x.tif.ovr", "x.tif.msk", "x.tfw", "x.aux"} {
		if err := os.WriteFile(filepath.Join(dir, side), []byte("<PAMDataset><SRS>LOCAL_CS[\"evil\"]</SRS></PAMDataset>"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if s.Info().Georef.EPSG != 32632 {
		t.Errorf("a file beside it was believed: %+v", s.Info().Georef)
	}
	if _, err := s.Display(); err != nil {
		t.Error(err)
	}
	s.Close()
	if files, _ := filepath.Glob(filepath.Join(dir, "*")); len(files) != 6 {
		t.Errorf("%v", files)
	}
}

func TestAVRTKeepsToItsFolder(t *testing.T) {
	b := newBait(t)
	dir := t.TempDir()
	w, err := Create(filepath.Join(dir, "one.tif"), Layout{Width: 16, Height: 16, Bands: []string{"red"}, DataType: "Byte"})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	vrt := func(name, srs string, sources ...string) string {
		text := `<VRTDataset rasterXSize="16" rasterYSize="16"><SRS>` + srs + `</SRS><Metadata><MDI key="SIMULATED">a/b</MDI></Metadata><VRTRasterBand dataType="Byte" band="1">`
		for _, s := range sources {
			text += `<SimpleSource><SourceFilename relativeToVRT="1">` + s + `</SourceFilename><SourceBand>1</SourceBand></SimpleSource>`
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text+`</VRTRasterBand></VRTDataset>`), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if err := os.Symlink(b.file, filepath.Join(dir, "link.tif")); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(dir, "pipe.tif"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := vrt("good.vrt", "EPSG:32632", "one.tif")
	for _, path := range []string{good, vrt("within.vrt", "", "good.vrt", "one.tif"), vrt("whole.vrt", "", filepath.Join(dir, "one.tif"))} {
		s, err := Open(path, Options{})
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if _, err := s.Read(Window{W: 16, H: 16}, nil); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		s.Close()
	}
	laughs := "one.tif"
	for n := range 3 {
		name := fmt.Sprintf("laugh%d.vrt", n)
		vrt(name, "", slicesOf(laughs, 40)...)
		laughs = name
	}
	deep := "one.tif"
	for n := range 6 {
		name := fmt.Sprintf("deep%d.vrt", n)
		vrt(name, "", deep)
		deep = name
	}
	vrt("pong.vrt", "", "ping.vrt")
	for says, path := range map[string]string{
		"outside its folder":  vrt("absolute.vrt", "", b.file),
		"outside its folder ": vrt("link.vrt", "", "link.tif"),
		"no plain file":       vrt("pipe.vrt", "", "pipe.tif"),
		"no file here":        vrt("address.vrt", "", "http://"+b.address+"/x.tif"),
		"no file here ":       vrt("curl.vrt", "", "/vsicurl/http://"+b.address+"/x.tif"),
		"no file here  ":      vrt("inline.vrt", "", "&lt;VRTDataset/&gt;"),
		"may be an address":   vrt("srs.vrt", "http://"+b.address+"/srs", "one.tif"),
		"may be an address ":  vrt("srsfile.vrt", b.file, "one.tif"),
		"names itself":        vrt("self.vrt", "", "self.vrt"),
		"names itself ":       vrt("ping.vrt", "", "pong.vrt"),
		"VRT of more than":    vrt("laughs.vrt", "", slicesOf(laughs, 40)...),
		"deep":                filepath.Join(dir, deep),
		"a pipe or a device":  filepath.Join(dir, "pipe.tif"),
	} {
		s, err := Open(path, Options{})
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), strings.TrimSpace(says)) {
			t.Errorf("%s: %v, want %q", filepath.Base(path), err, says)
		}
		b.untouched(path)
	}
}

func slicesOf(name string, n int) (all []string) {
	for range n {
		all = append(all, name)
	}
	return all
}

// A unit of 199,433 radians makes longitudes that no count of turns brings back in a lifetime.
func TestASystemThatLeadsNowhereEnds(t *testing.T) {
	wkt := `GEOGCRS["WGS 84",DATUM["World Geodetic System 1984",ELLIPSOID["WGS 84",6378137,298.257223563]],CS[ellipsoidal,2],AXIS["lat",north],AXIS["lon",east],ANGLEUNIT["degree",%s]]`
	for _, unit := range []string{"199433", "1e18", "1e-300", "0.0174532925199433"} {
		for _, at := range []float64{500000, 1e12, -1e12} {
			g := Georef{WKT: fmt.Sprintf(wkt, unit), Transform: [6]float64{at, 10, 0, at, 0, -10}}
			if _, err := Footprint(g, Window{W: 100, H: 100}); unit != "1e-300" && err == nil {
				t.Errorf("%s at %g: it has a place", unit, at)
			}
			if places, err := NewPlaces(g); err == nil {
				places.Box(0, 0, 10, 10)
				places.Close()
			}
		}
	}
	for step, want := range map[float64]float64{0: 0, 180: 0, -180: 0, 181: 1, -181: -1, 540: 1, 541: 2, -540: -1, 1e300: 2.777777777777778e297} {
		if got := turns(step); got != want {
			t.Errorf("%g: %g turns, want %g", step, got, want)
		}
	}
}

func TestACodeOfAnotherKindIsNotBelieved(t *testing.T) {
	const wkt = `GEOGCRS["WGS 84",DATUM["World Geodetic System 1984",ELLIPSOID["WGS 84",6378137,298.257223563]],CS[ellipsoidal,2],AXIS["lat",north],AXIS["lon",east],ANGLEUNIT["degree",0.0174532925199433],ID["EPSG",%d]]`
	for _, code := range []int{4336, 32632, 4978, 5773, 9001, 1024} { // PROJ died of the first
		g := Georef{WKT: fmt.Sprintf(wkt, code), Transform: [6]float64{10, 0.001, 0, 50, 0, -0.001}}
		ring, err := Footprint(g, Window{W: 100, H: 100})
		if err != nil || ring[0][0] < 9.9 || ring[0][0] > 10.2 {
			t.Errorf("EPSG:%d: %v %v", code, ring, err)
		}
	}
}
