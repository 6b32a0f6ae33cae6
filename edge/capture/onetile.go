package capture

import (
	"fmt"

	"cloudcanvas/shared/raster"
)

// ReadTile reads one tile of a scene file, cut as a SceneFile with the same options cuts it.
func ReadTile(path, id string, o SceneOptions, name string) (Picture, error) {
	scene, err := raster.Open(path, o.Options)
	if err != nil {
		return Picture{}, err
	}
	defer scene.Close()
	info, err := NewSceneFile(path, id, o).study(scene)
	if err != nil {
		return Picture{}, err
	}
	tile, ok := info.Grid.Find(name)
	if !ok {
		return Picture{}, fmt.Errorf("scene %s has no tile %.40q: its grid has %d x %d tiles", id, name, info.Grid.Cols(), info.Grid.Rows())
	}
	im, err := scene.ReadMirrored(tile.Window, info.Planes)
	if err != nil {
		return Picture{}, err
	}
	return Picture{Stream: id, At: info.Captured, Scene: info, Tile: &tile, Image: im}, nil
}
