package raster

import (
	"fmt"

	"github.com/airbusgeo/godal"
)

// insideTag is where a tile says which part of it lies in its scene.
const insideTag = "CANVAS_INSIDE"

// TilePlace says where a tile lies, and which part of it lies in its scene: beyond, the scene is mirrored. False
// for tiles that don't say so, as those of devices of before.
func TilePlace(data []byte) (g Georef, inside Window, ok bool, err error) {
	err = openTile(data, func(ds *godal.Dataset) error {
		st := ds.Structure()
		g, _ = georefOf(ds)
		n, e := fmt.Sscanf(ds.Metadata(insideTag), "%d %d %d %d", &inside.X, &inside.Y, &inside.W, &inside.H)
		ok = e == nil && n == 4 && g.Known() && inside.In(st.SizeX, st.SizeY)
		return nil
	})
	if err != nil {
		return g, inside, false, fmt.Errorf("look at a tile of %d bytes: %w", len(data), err)
	}
	return g, inside, ok, nil
}

// placeInside writes which part of a tile lies in its scene.
func placeInside(ds *godal.Dataset, w Window) error {
	if err := ds.SetMetadata(insideTag, fmt.Sprintf("%d %d %d %d", w.X, w.Y, w.W, w.H), reportErrors); err != nil {
		return fmt.Errorf("the part inside the scene: %w", brief(err))
	}
	return nil
}
