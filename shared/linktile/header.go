package linktile

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// A header is JSON, deflated with a dictionary of what headers say, so that a tile of a few hundred bytes is not
// mostly header. The dictionary is a part of the format.
const dictionary = `"layer":"refinement","refines":"","grid":true,"layer":"coarse","model":"cloud_edge_rgbn","version":"1.0.0","mask",` +
	`"type":"Byte","type":"Int16","epsg":32601,"epsg":32733,"affine":[300000,30,0,5000000,0,-30],"nodata":-9999,"nodata":65535,` +
	`"error":[5,5,5,5,5,5],"error":[2,2,2,2],"affine":[0,0,0,0,0,0]}"affine":[399960,10,0,4900000,0,-10],"model":"cloud_edge_6b"` +
	`"bands":["blue","green","red"],"bands":["coastal","blue","green","red","rededge071","rededge075","rededge078","nir","nir08","nir09","cirrus","swir16","swir22"],` +
	`{"w":488,"h":488,"bands":["blue","green","red","nir","swir16","swir22"],"type":"UInt16","scale":[{"s":0.0000275,"o":-0.2},{"s":0.0001,"o":-0.1},` +
	`{"s":0.0001,"o":0},{"s":0.0001,"o":0},{"s":0.0001,"o":0},{"s":0.0001,"o":0}],"nodata":0,` +
	`"place":{"scene_w":10980,"scene_h":10980,"x":952,"y":952,"size":256,"overlap":24,"margin":0,"col":0,"row":0,"cols":2,"rows":2},`

var deflaters = sync.Pool{New: func() any {
	w, _ := flate.NewWriterDict(io.Discard, flate.BestCompression, []byte(dictionary)) // the level is a right one
	return w
}}

func appendHeader(out []byte, h Header) ([]byte, error) {
	head, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("encode a tile's header: %w", err)
	}
	if len(head) > maxHeader {
		return nil, fmt.Errorf("encode a tile's header: it has %d bytes, %d are possible", len(head), maxHeader)
	}
	var deflated bytes.Buffer
	w := deflaters.Get().(*flate.Writer)
	w.Reset(&deflated)
	w.Write(head) // into memory, it does not fail
	w.Close()
	deflaters.Put(w)
	return appendPart(append(out, magic...), deflated.Bytes()), nil
}

// split takes the header off.
func split(data []byte) (h Header, rest []byte, err error) {
	if len(data) < len(magic) || string(data[:len(magic)]) != magic {
		return h, nil, fmt.Errorf("%w: it does not begin with %s, as tiles of this version do", ErrMalformed, magic)
	}
	n, k := binary.Uvarint(data[len(magic):])
	if rest = data[len(magic)+max(k, 0):]; k <= 0 || n > maxHeader || n > uint64(len(rest)) {
		return h, nil, fmt.Errorf("%w: its header is cut short or too long", ErrMalformed)
	}
	deflated := bytes.NewReader(rest[:n])
	head, err := io.ReadAll(io.LimitReader(flate.NewReaderDict(deflated, []byte(dictionary)), maxHeader+1))
	if err != nil || len(head) > maxHeader || deflated.Len() > 0 {
		return h, nil, fmt.Errorf("%w: its header does not inflate to at most %d bytes", ErrMalformed, maxHeader)
	}
	if err := json.Unmarshal(head, &h); err != nil {
		return h, nil, fmt.Errorf("%w: its header: %w", ErrMalformed, err)
	}
	return h, rest[n:], h.Check()
}
