package console

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

func (k *Console) sendSlot(w http.ResponseWriter, r *http.Request, slot string) {
	p, err := k.index.Pictures.Get(r.Context(), slot)
	if err != nil {
		k.refuser.Fail(w, r, err)
		return
	}
	sendPicture(w, p.Media, p.Data)
}

// lookPicture is the edge's quicklook of a scene.
func (k *Console) lookPicture(w http.ResponseWriter, r *http.Request) {
	k.sendSlot(w, r, index.QuicklookSlot(request.Name(r, "edge"), request.Name(r, "scene")))
}

func (k *Console) framePicture(w http.ResponseWriter, r *http.Request) {
	k.sendSlot(w, r, index.FrameSlot(request.Name(r, "edge"), request.Name(r, "camera")))
}

func (k *Console) eventPicture(w http.ResponseWriter, r *http.Request) {
	number, err := strconv.ParseInt(r.PathValue("number"), 10, 64)
	if err != nil {
		k.refuser.Fail(w, r, fmt.Errorf("the event is %w", index.ErrUnknown))
		return
	}
	slot, err := k.index.Events.Picture(r.Context(), number)
	if err != nil {
		k.refuser.Fail(w, r, err)
		return
	}
	k.sendSlot(w, r, slot)
}

// maskPicture is a scene's mask, transparent where it is clear, of a quicklook's size.
func (k *Console) maskPicture(w http.ResponseWriter, r *http.Request) {
	s, err := k.index.Scenes.One(r.Context(), request.Name(r, "edge"), request.Name(r, "scene"))
	if err == nil {
		var data []byte
		if data, err = k.products.Mask(r.Context(), s.Product); err == nil {
			sendPicture(w, "image/png", data)
			return
		}
	}
	k.refuser.Fail(w, r, err)
}

// letterPicture shows a dead letter that is a picture, drawn anew.
func (k *Console) letterPicture(w http.ResponseWriter, r *http.Request) {
	l, err := k.letterAsked(r)
	if err != nil {
		k.refuser.Fail(w, r, err)
		return
	}
	record, err := deadletter.Read(r.Context(), k.Log, l.Place())
	if err != nil {
		if errors.Is(err, deadletter.ErrNone) {
			err = fmt.Errorf("%w: %w", index.ErrUnknown, err)
		}
		k.refuser.Fail(w, r, err)
		return
	}
	data, err := redraw(record.Value)
	if err != nil {
		k.refuser.Fail(w, r, fmt.Errorf("%w: %w", index.ErrUnknown, err))
		return
	}
	sendPicture(w, "image/png", data)
}

// mapTile is a part of a scene's mask as an XYZ tile.
func (k *Console) mapTile(w http.ResponseWriter, r *http.Request) {
	t, err := tileAsked(r)
	if err != nil {
		k.refuser.Fail(w, r, err)
		return
	}
	s, err := k.index.Scenes.One(r.Context(), request.Name(r, "edge"), request.Name(r, "scene"))
	if err != nil {
		k.refuser.Fail(w, r, err)
		return
	}
	data, err := k.products.MapTile(r.Context(), s.Product, t)
	if err != nil {
		k.refuser.Fail(w, r, err)
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

func (k *Console) sceneFile(w http.ResponseWriter, r *http.Request) {
	s, err := k.index.Scenes.One(r.Context(), request.Name(r, "edge"), request.Name(r, "scene"))
	k.sendFile(w, r, s.Product, err)
}

func (k *Console) cameraFile(w http.ResponseWriter, r *http.Request) {
	c, err := k.index.Cameras.One(r.Context(), request.Name(r, "edge"), request.Name(r, "camera"), k.now())
	k.sendFile(w, r, c.Product, err)
}

// media are the types of products' files. Others go as bytes, so that no browser makes anything of them.
var media = map[string]string{
	".tif": "image/tiff; application=geotiff; profile=cloud-optimized", ".png": "image/png", ".jpg": "image/jpeg",
	".json": "application/json", ".geojson": "application/geo+json",
}

// sendFile sends a file of a product, by ranges where it is asked for them: GDAL reads a COG so.
func (k *Console) sendFile(w http.ResponseWriter, r *http.Request, p *index.Product, err error) {
	file := r.PathValue("file")
	if err != nil {
		k.refuser.Fail(w, r, err)
		return
	}
	f, info, err := k.products.File(p, file)
	if err != nil {
		k.refuser.Fail(w, r, err)
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
