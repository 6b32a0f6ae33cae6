package raster

/*
#include <stdlib.h>
#include "gate.h"
*/
import "C"

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// HDF5, and so netCDF-4, can keep a link to another file, data in other files, and datasets made of other
// files' datasets. So these formats stand behind a gate: GDAL opens them only for a file that a person
// named, once it was looked at, and neither as the source of a VRT nor as a part of another format nor as
// bytes that a device sent. Links to other files are taken out of the HDF5 library for the whole process;
// files that keep data in others are refused before a number is read.
var gatedFormats = []string{"netCDF", "HDF5", "HDF5Image"}

// maxObjects bounds the groups and datasets of one file that are looked at.
const maxObjects = 20_000

// variables is a file of variables, and the one that is meant; none: the file.
type variables struct {
	driver, file, variable string
	held                   *os.File // the file, open; it is read through this whatever its name leads to since
}

// of is one variable of the file.
func (v variables) of(variable string) variables {
	v.variable = variable
	return v
}

var variableName = regexp.MustCompile(`^(NETCDF|HDF5):(?:"([^"]+)"|([^:"]+)):(.+)$`)

var (
	hdf5Magic    = []byte("\x89HDF\r\n\x1a\n")
	classicMagic = regexp.MustCompile("^CDF[\x01\x02\x05]")
)

// variablesAt says whether a name is of a file of variables, by GDAL's name or by how the file begins.
func variablesAt(name string) (v variables, ok bool, err error) {
	if m := variableName.FindStringSubmatch(name); m != nil {
		v = variables{driver: m[1], file: m[2] + m[3], variable: m[4]}
	} else if gdalName.MatchString(name) || elsewhere(name) {
		return v, false, nil
	} else {
		v.file = name
	}
	info, err := os.Stat(v.file)
	if err != nil || !info.Mode().IsRegular() {
		if v.driver == "" {
			err = nil // told by whoever opens it
		} else if err == nil {
			err = fmt.Errorf("%s is no plain file", v.file)
		}
		return v, v.driver != "", err
	}
	v.file, err = filepath.Abs(v.file)
	if err != nil || strings.Contains(v.file, `"`) {
		return v, true, errors.Join(err, errors.New("its path has a quotation mark; rename it"))
	}
	classic, hdf5, err := variablesMagic(v.file)
	switch {
	case err != nil:
		return v, true, err
	case !classic && !hdf5 && v.driver == "":
		return v, false, nil
	case !classic && !hdf5, classic && v.driver == "HDF5":
		return v, true, fmt.Errorf("%s does not begin as %s does", v.file, v.driver)
	}
	if v.driver == "" {
		v.driver = "NETCDF"
		if ext := strings.ToLower(filepath.Ext(v.file)); hdf5 && ext != ".nc" && ext != ".nc4" {
			v.driver = "HDF5"
		}
	}
	return v, true, nil
}

// variablesMagic looks at how a file begins.
func variablesMagic(file string) (classic, hdf5 bool, err error) {
	f, err := os.Open(file)
	if err != nil {
		return false, false, err
	}
	defer f.Close()
	head := make([]byte, 8)
	if _, err := io.ReadFull(f, head); err != nil {
		return false, false, nil // too short for either
	}
	return classicMagic.Match(head), bytes.Equal(head, hdf5Magic), nil
}

// hold opens the file; leave lets it go.
func (v *variables) hold() (id identity, leave func(), err error) {
	f, err := os.OpenFile(v.file, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return id, nil, err
	}
	if id, err = identify(f); err != nil {
		f.Close()
		return id, nil, err
	}
	v.held = f
	return id, func() { f.Close() }, nil
}

// unchanged says that nothing has been written to the file since.
func (v variables) unchanged(id identity) error {
	now, err := identify(v.held)
	if err == nil && now != id {
		err = errChanged
	}
	return err
}

// at is a name of the file that is held.
func (v variables) at() string { return fmt.Sprintf("/proc/self/fd/%d", v.held.Fd()) }

// enter looks at the file that is held and opens the gate for it; shut must be called once it is closed.
func (v variables) enter() (shut func(), err error) {
	path := C.CString(v.at())
	if _, hdf5, _ := variablesMagic(v.at()); hdf5 {
		if err := hdf5Problem(C.canvas_hdf_check(path, maxObjects)); err != nil {
			C.free(unsafe.Pointer(path))
			return nil, err
		}
	}
	C.canvas_allow(path)
	return func() {
		C.canvas_forbid(path)
		C.free(unsafe.Pointer(path))
	}, nil
}

func hdf5Problem(found C.int) error {
	switch found {
	case C.CANVAS_HDF_GOOD:
		return nil
	case C.CANVAS_HDF_ELSEWHERE:
		return errors.New("some of its data lie in other files, which are not opened; make one file of it: h5repack IN.h5 OUT.h5, or gdal_translate IN OUT.tif")
	case C.CANVAS_HDF_LARGE:
		return fmt.Errorf("it has more than %d groups and datasets; cut out what is needed: gdal_translate IN OUT.tif", maxObjects)
	case C.CANVAS_HDF_BROKEN:
		return errors.New("it is an HDF5 file that can't be read; if it was cut off, copy it again")
	}
	return errors.New("the HDF5 library here can't tell whether it names other files; convert it: gdal_translate IN OUT.tif")
}

// drivers are GDAL's that read such a name.
func (v variables) drivers() []string {
	if v.driver == "HDF5" {
		return []string{"HDF5", "HDF5Image"}
	}
	return []string{"netCDF"}
}

// name is GDAL's of the file that is held, or of one variable of it.
func (v variables) name() string { return v.naming(v.at()) }

// called is the same for persons.
func (v variables) called() string { return v.naming(v.file) }

func (v variables) naming(file string) string {
	switch {
	case v.variable != "":
		return v.driver + `:"` + file + `":` + v.variable
	case v.driver == "NETCDF": // GDAL would ask the ending else
		return `NETCDF:"` + file + `"`
	}
	return file
}

// gatedName says whether a name of a product's band is of a file of variables.
func gatedName(name string) (drivers []string) {
	if m := variableName.FindStringSubmatch(name); m != nil {
		return variables{driver: m[1]}.drivers()
	}
	return nil
}
