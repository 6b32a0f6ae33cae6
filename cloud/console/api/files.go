package api

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/preview"
	"cloudcanvas/cloud/console/request"
	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/shared/raster"
)

// sendPicture sends bytes that the console keeps or has drawn.
func sendPicture(w http.ResponseWriter, media string, data []byte) {
	w.Header().Set("Content-Type", media)
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.Header().Set("Cache-Control", "private, max-age=10")
	w.Write(data)
}

// files answers with pictures and files, for pages and for programs.
type files struct{ o Options }

func (a files) routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /pictures/scenes/{edge}/{scene}", a.quicklook)
	mux.HandleFunc("GET /pictures/masks/{edge}/{scene}", a.mask)
	mux.HandleFunc("GET /pictures/cameras/{edge}/{camera}", a.frame)
	mux.HandleFunc("GET /pictures/events/{number}", a.event)
	mux.HandleFunc("GET /pictures/letters/{partition}/{offset}", a.deadLetter)
	mux.HandleFunc("GET /files/scenes/{edge}/{scene}/{file...}", a.sceneFile)
	mux.HandleFunc("GET /files/cameras/{edge}/{camera}/{file...}", a.cameraFile)
	mux.HandleFunc("GET /api/v1/tiles/{edge}/{scene}/{z}/{x}/{y}", a.mapTile)
}

func (a files) sendSlot(w http.ResponseWriter, r *http.Request, slot string) {
	p, err := a.o.Index.Pictures.Get(r.Context(), slot)
	if err != nil {
		a.o.Refuser.Fail(w, r, err)
		return
	}
	sendPicture(w, p.Media, p.Data)
}

// quicklook is the edge's quicklook of a scene.
func (a files) quicklook(w http.ResponseWriter, r *http.Request) {
	a.sendSlot(w, r, index.QuicklookSlot(request.Name(r, "edge"), request.Name(r, "scene")))
}

func (a files) frame(w http.ResponseWriter, r *http.Request) {
	a.sendSlot(w, r, index.FrameSlot(request.Name(r, "edge"), request.Name(r, "camera")))
}

func (a files) event(w http.ResponseWriter, r *http.Request) {
	number, err := strconv.ParseInt(r.PathValue("number"), 10, 64)
	if err != nil {
		a.o.Refuser.Fail(w, r, fmt.Errorf("the event is %w", index.ErrUnknown))
		return
	}
	slot, err := a.o.Index.Events.Picture(r.Context(), number)
	if err != nil {
		a.o.Refuser.Fail(w, r, err)
		return
	}
	a.sendSlot(w, r, slot)
}

// mask is a scene's mask, transparent where it is clear, of a quicklook's size.
func (a files) mask(w http.ResponseWriter, r *http.Request) {
	s, err := a.o.Index.Scenes.One(r.Context(), request.Name(r, "edge"), request.Name(r, "scene"))
	if err == nil {
		var data []byte
		if data, err = a.o.Products.Mask(r.Context(), s.Product); err == nil {
			sendPicture(w, "image/png", data)
			return
		}
	}
	a.o.Refuser.Fail(w, r, err)
}

// deadLetter shows a dead letter that is a picture, drawn anew.
func (a files) deadLetter(w http.ResponseWriter, r *http.Request) {
	l, err := a.o.Decisions.Asked(r)
	if err != nil {
		a.o.Refuser.Fail(w, r, err)
		return
	}
	record, err := deadletter.Read(r.Context(), a.o.Log, l.Place())
	if err != nil {
		if errors.Is(err, deadletter.ErrNone) {
			err = fmt.Errorf("%w: %w", index.ErrUnknown, err)
		}
		a.o.Refuser.Fail(w, r, err)
		return
	}
	data, err := preview.Redraw(record.Value)
	if err != nil {
		a.o.Refuser.Fail(w, r, fmt.Errorf("%w: %w", index.ErrUnknown, err))
		return
	}
	sendPicture(w, "image/png", data)
}

// mapTile is a part of a scene's mask as an XYZ tile.
func (a files) mapTile(w http.ResponseWriter, r *http.Request) {
	t, err := tileAsked(r)
	if err != nil {
		a.o.Refuser.Fail(w, r, err)
		return
	}
	s, err := a.o.Index.Scenes.One(r.Context(), request.Name(r, "edge"), request.Name(r, "scene"))
	if err != nil {
		a.o.Refuser.Fail(w, r, err)
		return
	}
	data, err := a.o.Products.MapTile(r.Context(), s.Product, t)
	if err != nil {
		a.o.Refuser.Fail(w, r, err)
		return
	}
	sendPicture(w, "image/png", data)
}

func tileAsked(r *http.Request) (raster.MapTile, error) {
	y, ok := strings.CutSuffix(r.PathValue("y"), ".png")
	if !ok {
		return raster.MapTile{}, fmt.Errorf("%w: a map tile's address ends in .png", request.ErrBad)
	}
	var n [3]int
	for i, text := range []string{r.PathValue("z"), r.PathValue("x"), y} {
		v, err := strconv.Atoi(text)
		if err != nil {
			return raster.MapTile{}, fmt.Errorf("%w: %.20q is no number of a map tile", request.ErrBad, text)
		}
		n[i] = v
	}
	t := raster.MapTile{Z: n[0], X: n[1], Y: n[2]}
	if err := t.Check(); err != nil {
		return t, fmt.Errorf("%w: %w", request.ErrBad, err)
	}
	return t, nil
}

func (a files) sceneFile(w http.ResponseWriter, r *http.Request) {
	s, err := a.o.Index.Scenes.One(r.Context(), request.Name(r, "edge"), request.Name(r, "scene"))
	a.sendFile(w, r, s.Product, err)
}

func (a files) cameraFile(w http.ResponseWriter, r *http.Request) {
	c, err := a.o.Index.Cameras.One(r.Context(), request.Name(r, "edge"), request.Name(r, "camera"), a.o.Now())
	a.sendFile(w, r, c.Product, err)
}

// media are the types of products' files. Others go as bytes, so that no browser makes anything of them.
var media = map[string]string{
	".tif": "image/tiff; application=geotiff; profile=cloud-optimized", ".png": "image/png", ".jpg": "image/jpeg",
	".json": "application/json", ".geojson": "application/geo+json",
}

// sendFile sends a file of a product, by ranges where it is asked for them: GDAL reads a COG so.
func (a files) sendFile(w http.ResponseWriter, r *http.Request, p *index.Product, err error) {
	file := r.PathValue("file")
	if err != nil {
		a.o.Refuser.Fail(w, r, err)
		return
	}
	f, info, err := a.o.Products.File(p, file)
	if err != nil {
		a.o.Refuser.Fail(w, r, err)
		return
	}
	defer f.Close()
	kind := media[path.Ext(file)]
	if kind == "" {
		kind = "application/octet-stream"
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", "private, no-cache")
	if !strings.HasPrefix(kind, "image/png") && !strings.HasPrefix(kind, "image/jpeg") {
		h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": path.Base(p.Folder) + "-" + path.Base(file)}))
	}
	http.ServeContent(w, r, "", info.ModTime(), io.ReadSeeker(f))
}
