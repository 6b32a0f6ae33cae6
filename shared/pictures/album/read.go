package album

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"cloudcanvas/shared/vision"
)

// Part tells the name of one of a file's pictures, as Name makes it, from the name of a file: i counts from 0. It is
// -1 for the file itself.
func Part(path string) (file string, i int) {
	at := strings.LastIndexByte(path, '#')
	if at < 0 {
		return path, -1
	}
	n, err := strconv.Atoi(path[at+1:])
	if err != nil || n < 1 || isFile(path) {
		return path, -1
	}
	return path[:at], n - 1
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// Read decodes the picture of that name. A file with many of them, of which none is named, is refused: which one is
// meant can't be known.
func Read(path string, maxPixels int) (vision.Image, error) {
	file, i := Part(path)
	data, err := os.ReadFile(file)
	if err != nil {
		return vision.Image{}, fmt.Errorf("read the picture: %w", err)
	}
	ctx := context.Background() // decoding is bounded
	a, err := Open(ctx, data, maxPixels)
	if err != nil {
		return vision.Image{}, err
	}
	defer a.Close()
	if i < 0 {
		if a.count > 1 {
			return vision.Image{}, fmt.Errorf("it has %d %s; name the one that is meant, as with FILE#1", a.count, a.parts)
		}
		i = 0
	}
	im, _, err := a.Picture(ctx, i)
	return im, err
}
