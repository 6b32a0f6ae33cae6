package raster

import (
	"archive/tar"
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// container is what products come in: a folder, a zip or a tar. Names inside are slash-separated and
// never leave it.
type container struct {
	path  string   // as it was given
	root  string   // what GDAL's name of a file inside begins with
	names []string // of the files inside, in order
	only  string   // the one picture that was named, of several that may lie there
	open  func(name string) (io.ReadCloser, error)
	close func() error
}

// Bounds of what is listed and read of a container.
const (
	maxContained = 20_000   // files
	maxMetadata  = 64 << 20 // bytes of one metadata file; those of Sentinel-2's tiles have half a megabyte

	// What is packed in a zip is unpacked from its begin to a window: a few megabytes could make that take hours.
	mostInflated  = 1 << 30
	mostInflation = 100
)

var errTooMany = fmt.Errorf("it has more than %d files", maxContained)

// openContainer lists a folder, zip or tar; nil where path is another kind of file.
func openContainer(at string) (*container, error) {
	info, err := os.Stat(at)
	switch lower := strings.ToLower(at); {
	case err != nil && gdalName.MatchString(at):
		return nil, nil
	case err != nil:
		return nil, err
	case info.IsDir():
		return openFolder(at)
	case strings.HasSuffix(lower, ".zip"):
		return openZip(at)
	case strings.HasSuffix(lower, ".tar"):
		return openTar(at)
	case strings.HasSuffix(lower, ".tar.gz"), strings.HasSuffix(lower, ".tgz"):
		return nil, errors.New("a compressed tar can't be read at random; unpack it and give the folder: tar xzf " + filepath.Base(at))
	}
	return nil, nil
}

func openFolder(at string) (*container, error) {
	root, err := os.OpenRoot(at) // links that lead out are not followed
	if err != nil {
		return nil, err
	}
	c := &container{path: at, root: at, close: root.Close, open: func(name string) (io.ReadCloser, error) { return root.Open(filepath.FromSlash(name)) }}
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case len(c.names) >= maxContained:
			return errTooMany
		case d.Type().IsRegular():
			c.names = append(c.names, name)
		}
		return nil
	})
	if err != nil {
		root.Close()
		return nil, err
	}
	return c, nil
}

// fileOfProduct finds what the names of all files of a product begin with in the name of the one that
// holds its bands, where a family keeps its metadata in another file beside it.
var fileOfProduct = []*regexp.Regexp{planetFile, naipFile}

// openAround lists a file that is a product, and the files beside it that belong to it; nil where it is
// a file of another kind.
func openAround(at string) (*container, error) {
	for _, open := range []func(string) (*container, error){openParts, openWorldView} {
		if c, err := open(at); c != nil || err != nil {
			return c, err
		}
	}
	for _, pattern := range fileOfProduct {
		m := pattern.FindStringSubmatch(filepath.Base(at))
		if m == nil {
			continue
		}
		c, err := openFlat(filepath.Dir(at))
		if err != nil {
			return nil, err
		}
		c.names = slices.DeleteFunc(c.names, func(n string) bool {
			return n != filepath.Base(at) && (pattern.MatchString(n) || !strings.HasPrefix(n, m[1]))
		})
		return c, nil
	}
	return nil, nil
}

// openFlat lists the files of a folder itself.
func openFlat(at string) (*container, error) {
	root, err := os.OpenRoot(at)
	if err != nil {
		return nil, err
	}
	c := &container{path: at, root: at, close: root.Close, open: func(name string) (io.ReadCloser, error) { return root.Open(name) }}
	entries, err := os.ReadDir(at)
	if err != nil {
		root.Close()
		return nil, err
	}
	for _, e := range entries {
		if e.Type().IsRegular() {
			c.names = append(c.names, e.Name())
		}
	}
	return c, nil
}

func openZip(at string) (*container, error) {
	if err := countZip(at); err != nil {
		return nil, err
	}
	z, err := zip.OpenReader(at)
	if err != nil {
		return nil, fmt.Errorf("%w; if it was cut off, copy it again", err)
	}
	c := &container{path: at, root: "/vsizip/{" + at + "}", close: z.Close, open: func(name string) (io.ReadCloser, error) { return z.Open(name) }}
	for _, f := range z.File {
		if f.UncompressedSize64 > mostInflated && f.UncompressedSize64/mostInflation > f.CompressedSize64 {
			z.Close()
			return nil, fmt.Errorf("%.80q inside it has %d MiB that are packed into %d, through which each window is looked for; unpack it and give the folder", f.Name, f.UncompressedSize64>>20, f.CompressedSize64>>20)
		}
		if err := c.add(f.Name, f.FileInfo().IsDir()); err != nil {
			z.Close()
			return nil, err
		}
	}
	return c, nil
}

func openTar(at string) (*container, error) {
	c := &container{path: at, root: "/vsitar/{" + at + "}", close: func() error { return nil }}
	c.open = func(name string) (io.ReadCloser, error) {
		f, err := os.Open(at)
		if err != nil {
			return nil, err
		}
		for t := tar.NewReader(f); ; {
			h, err := t.Next()
			if err != nil {
				f.Close()
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			if path.Clean(h.Name) == name {
				return struct {
					io.Reader
					io.Closer
				}{t, f}, nil
			}
		}
	}
	f, err := os.Open(at)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for t := tar.NewReader(f); ; {
		h, err := t.Next()
		if err == io.EOF {
			return c, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w; if it was cut off, copy it again", err)
		}
		if err := c.add(path.Clean(h.Name), h.Typeflag != tar.TypeReg); err != nil {
			return nil, err
		}
	}
}

func (c *container) add(name string, folder bool) error {
	switch {
	case len(c.names) >= maxContained:
		return errTooMany
	case folder:
	case !fs.ValidPath(name):
		return fmt.Errorf("the name %.80q inside it leads out of it", name)
	default:
		c.names = append(c.names, name)
	}
	return nil
}

// find gives the files whose name, in any case, passes the test.
func (c *container) find(test func(name string) bool) (names []string) {
	for _, n := range c.names {
		if test(strings.ToUpper(path.Base(n))) {
			names = append(names, n)
		}
	}
	return names
}

// read gives a small file whole.
func (c *container) read(name string) ([]byte, error) {
	f, err := c.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxMetadata+1))
	if err == nil && len(data) > maxMetadata {
		err = fmt.Errorf("more than %d MiB", maxMetadata>>20)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return data, nil
}

// gdal is GDAL's name of a file inside.
func (c *container) gdal(name string) string { return c.root + "/" + name }
