package measure

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"cloudcanvas/lab/evaluate"
	"cloudcanvas/shared/pictures/album"
	"cloudcanvas/shared/vision"
)

// findPictures finds the labels' pictures in a folder. A picture may lie there with a prefix
// ("sahi_terrain2.png" for "terrain2.png") where only one ends so.
func findPictures(dir string, images []evaluate.Image) (map[int64]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list the pictures: %w", err)
	}
	files, missing := map[int64]string{}, []string{}
	for _, im := range images {
		name := filepath.Base(filepath.FromSlash(im.File))
		inside := filepath.Join(dir, filepath.FromSlash(im.File))
		if file, _ := album.Part(inside); filepath.IsLocal(filepath.FromSlash(im.File)) && isFile(file) {
			files[im.ID] = inside // one of a file's pictures, where it is named so
			continue
		}
		var like []string
		for _, e := range entries {
			if e.Name() == name {
				like = []string{name}
				break
			}
			if strings.HasSuffix(e.Name(), "_"+name) {
				like = append(like, e.Name())
			}
		}
		if len(like) != 1 {
			missing = append(missing, im.File)
			continue
		}
		files[im.ID] = filepath.Join(dir, like[0])
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("%d of %d pictures that the labels name are not in %s (the first is %s); give the folder that holds them all",
			len(missing), len(images), dir, missing[0])
	}
	return files, nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func readPicture(path string) (vision.Image, error) {
	im, err := album.Read(path, maxPicture)
	if err != nil {
		return im, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return im, nil
}
