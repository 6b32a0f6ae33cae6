package raster

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// imd is the metadata of a WorldView-like product, from an IMD or TIL file or from the XML of both: values by
// GROUP.KEY in upper case, KEY alone outside groups; of a group that comes again (IMAGE_1, IMAGE_2 …) the first
// is IMAGE. Tiles are TILE_1, TILE_2 ….
type imd map[string]string

var (
	imdLine  = regexp.MustCompile(`^\s*([A-Za-z0-9_]+)\s*=\s*(.*?);?\s*$`)
	imdImage = regexp.MustCompile(`^IMAGE_\d+$`)
)

const (
	maxDeep    = 32      // elements, one in the other; those of the products have six
	maxIMDLine = 1 << 12 // bytes; those of the products have a hundred
)

func parseIMD(data []byte) (imd, error) {
	if begins := bytes.TrimLeft(data, "\xef\xbb\xbf \t\r\n"); bytes.HasPrefix(begins, []byte("<")) {
		return parseIsd(begins)
	}
	m := imd{}
	group := ""
	for line := range bytes.Lines(data) {
		if len(line) > maxIMDLine {
			continue
		}
		l := imdLine.FindSubmatch(line)
		if l == nil {
			continue
		}
		switch key, value := strings.ToUpper(string(l[1])), string(l[2]); key {
		case "BEGIN_GROUP":
			group = strings.ToUpper(value)
		case "END_GROUP":
			group = ""
		default:
			m.put(group, key, value)
		}
	}
	if len(m) == 0 {
		return nil, errors.New("it is no readable IMD file")
	}
	return m, nil
}

// parseIsd reads the XML form. It has no entities of its own, so that it can't grow.
func parseIsd(data []byte) (imd, error) {
	m, tiles := imd{}, 0
	var open []string
	var text strings.Builder
	d := xml.NewDecoder(bytes.NewReader(data))
	d.Entity = map[string]string{}
	for {
		token, err := d.Token()
		if err == io.EOF && len(open) == 0 {
			return m, nil
		}
		if err != nil {
			return nil, fmt.Errorf("it is no readable metadata: %w", err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			name := strings.ToUpper(t.Name.Local)
			if name == "TILE" {
				tiles++
				name = "TILE_" + strconv.Itoa(tiles)
			}
			if open = append(open, name); len(open) > maxDeep {
				return nil, fmt.Errorf("it is no readable metadata: more than %d elements, one in the other", maxDeep)
			}
			text.Reset()
		case xml.CharData:
			text.Write(t)
		case xml.EndElement:
			group := ""
			if n := len(open); n > 1 && open[n-2] != "IMD" && open[n-2] != "TIL" {
				group = open[n-2]
			}
			if value := strings.TrimSpace(text.String()); value != "" {
				m.put(group, open[len(open)-1], value)
			}
			open = open[:len(open)-1]
			text.Reset()
		}
	}
}

func (m imd) put(group, key, value string) {
	if group = strings.Trim(group, `" `); imdImage.MatchString(group) {
		group = "IMAGE"
	}
	if group != "" {
		key = group + "." + key
	}
	if _, there := m[key]; !there {
		m[key] = strings.Trim(value, `" `)
	}
}

// number is a value; missing says that it is not there, or no number.
func (m imd) number(key string) (v float64, missing bool) {
	v, err := strconv.ParseFloat(m[key], 64)
	return v, err != nil || v-v != 0
}

// bands are the places in worldviewBands of a file's bands, in its order.
func (m imd) bands() (order []int, err error) {
	switch id := strings.ToUpper(m["BANDID"]); id {
	case "RGB":
		return []int{4, 2, 1}, nil
	case "NRG":
		return nil, errors.New("it has near infrared, red and green, and no blue")
	}
	has := map[string]bool{}
	for i, b := range worldviewBands {
		if m[b.group+".ABSCALFACTOR"] != "" || m[b.group+".EFFECTIVEBANDWIDTH"] != "" {
			order, has[b.name] = append(order, i), true
		}
	}
	if !has["blue"] || !has["green"] || !has["red"] {
		return nil, fmt.Errorf("it is no multispectral product with blue, green and red (bandId %.20q)", m["BANDID"])
	}
	return order, nil
}

// taken is when the middle of the scene was, to the minute at least.
func (m imd) taken() time.Time {
	for _, key := range []string{"IMAGE.TLCTIME", "IMAGE.FIRSTLINETIME", "MAP_PROJECTED_PRODUCT.EARLIESTACQTIME"} {
		if t, err := time.Parse(time.RFC3339Nano, m[key]); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// Bounds of a layout of tiles.
const (
	maxTiles      = 10_000
	maxTileOffset = 10_000_000
)

// tiles are where the files lie, as their names have them.
func (m imd) tiles() (all []productTile, err error) {
	for n := 1; ; n++ {
		group := "TILE_" + strconv.Itoa(n) + "."
		file, there := m[group+"FILENAME"]
		if !there {
			return all, nil
		}
		if n > maxTiles {
			return nil, fmt.Errorf("it has more than %d tiles", maxTiles)
		}
		x, errX := strconv.Atoi(m[group+"ULCOLOFFSET"])
		y, errY := strconv.Atoi(m[group+"ULROWOFFSET"])
		if errX != nil || errY != nil || x < 0 || y < 0 || x > maxTileOffset || y > maxTileOffset {
			return nil, fmt.Errorf("its tile %.80q lies at column %.20q, row %.20q, which is no place", file, m[group+"ULCOLOFFSET"], m[group+"ULROWOFFSET"])
		}
		all = append(all, productTile{file: file, x: x, y: y})
	}
}
