package raster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// parseWKB gives the polygons of a well-known-binary polygon, multipolygon or collection (OGC
// 06-103r4, 8.2); points and lines in a collection are passed over.
func parseWKB(b []byte) ([][][][2]float64, error) {
	polygons, _, err := parseGeometry(b, 0)
	return polygons, err
}

var errWKB = errors.New("the outline is not well-known binary")

func parseGeometry(b []byte, depth int) (polygons [][][][2]float64, after []byte, err error) {
	if len(b) < 5 || b[0] > 1 || depth > 4 {
		return nil, nil, errWKB
	}
	var order binary.ByteOrder = binary.BigEndian
	if b[0] == 1 {
		order = binary.LittleEndian
	}
	kind := order.Uint32(b[1:])
	b = b[5:]
	count := func() (n int) {
		if len(b) < 4 {
			err = errWKB
			return 0
		}
		n = int(order.Uint32(b))
		b = b[4:]
		return n
	}
	points := func() (ring [][2]float64) {
		n := count()
		if err != nil || n > len(b)/16 {
			err = errWKB
			return nil
		}
		ring = make([][2]float64, n)
		for i := range ring {
			ring[i][0] = math.Float64frombits(order.Uint64(b[i*16:]))
			ring[i][1] = math.Float64frombits(order.Uint64(b[i*16+8:]))
		}
		b = b[n*16:]
		return ring
	}
	switch kind {
	case 1:
		if len(b) < 16 {
			return nil, nil, errWKB
		}
		b = b[16:]
	case 2:
		points()
	case 3:
		var rings [][][2]float64
		for n := count(); n > 0 && err == nil; n-- {
			rings = append(rings, points())
		}
		if len(rings) > 0 {
			polygons = append(polygons, rings)
		}
	case 4, 5, 6, 7:
		for n := count(); n > 0 && err == nil; n-- {
			var more [][][][2]float64
			more, b, err = parseGeometry(b, depth+1)
			polygons = append(polygons, more...)
		}
	default:
		return nil, nil, fmt.Errorf("%w: geometry type %d", errWKB, kind)
	}
	return polygons, b, err
}
