package integration

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// dicom is a DICOM file of 64 x 64 grey pixels with a person's identity wherever one may stand.
func dicom() []byte {
	le := binary.LittleEndian
	out := append(make([]byte, 128), "DICM"...)
	element := func(group, number uint16, vr string, value []byte) {
		if len(value)%2 == 1 {
			value = append(value, ' ')
		}
		out = append(le.AppendUint16(le.AppendUint16(out, group), number), vr...)
		if vr == "OW" || vr == "SQ" {
			out = le.AppendUint32(append(out, 0, 0), uint32(len(value)))
		} else {
			out = le.AppendUint16(out, uint16(len(value)))
		}
		out = append(out, value...)
	}
	short := func(group, number, v uint16) { element(group, number, "US", le.AppendUint16(nil, v)) }
	element(0x0002, 0x0010, "UI", []byte("1.2.840.10008.1.2.1\x00"))
	element(0x0008, 0x0018, "UI", []byte("1.2.3.19990713"))
	element(0x0008, 0x0020, "DA", []byte("19990713"))
	for _, tag := range [][2]uint16{{0x0008, 0x0080}, {0x0008, 0x0090}, {0x0008, 0x1030}, {0x0010, 0x0010}, {0x0010, 0x0020}, {0x0010, 0x4000}, {0x0011, 0x0010}, {0x0018, 0x1000}, {0x0020, 0x4000}} {
		element(tag[0], tag[1], "LO", []byte("Wiltrud^Amsel"))
	}
	short(0x0028, 0x0010, 64)
	short(0x0028, 0x0011, 64)
	element(0x0028, 0x0030, "DS", []byte(`0.5\0.25`))
	short(0x0028, 0x0100, 16)
	short(0x0028, 0x0101, 12)
	element(0x0028, 0x1050, "DS", []byte("2000"))
	element(0x0028, 0x1051, "DS", []byte("4000"))
	var pixels []byte
	for i := range 64 * 64 {
		pixels = le.AppendUint16(pixels, uint16(i))
	}
	element(0x7FE0, 0x0010, "OW", pixels)
	element(0xFFFC, 0xFFFC, "LO", []byte("Wiltrud^Amsel"))
	return out
}

// TestNothingOfWhoADICOMFileIsOfComesOut looks at every byte that is written or sent: the device's buffer and notes,
// the brokers' topics, the store, the products and the logs.
func TestNothingOfWhoADICOMFileIsOfComesOut(t *testing.T) {
	t.Parallel()
	in := t.TempDir()
	if err := os.WriteFile(filepath.Join(in, "scan.dcm"), dicom(), 0o600); err != nil {
		t.Fatal(err)
	}
	f := startFleet(t)
	site := brokertest.StartMosquitto(t)
	here, there := listen(t, site.URL, "#"), listen(t, f.brokers.mqtt, "#")
	device := f.device(t, "ward", fmt.Sprintf("local: {url: %q}\nframe_every: 1s\nimages: [{name: scans, path: %q, detector: opencv_hog_people}]\n", site.URL, in))
	product := filepath.Join(f.products, "scans")
	until(t, 2*time.Minute, "the product", func() bool { _, err := os.Stat(filepath.Join(product, "spacing.json")); return err == nil })
	var spacing []struct {
		ImageID string  `json:"image_id"`
		X, Y    float64 // mm
		Of      string
	}
	readJSON(t, filepath.Join(product, "spacing.json"), &spacing)
	if len(spacing) != 1 || spacing[0].ImageID != "scan.dcm" || spacing[0].X != 0.25 || spacing[0].Y != 0.5 || spacing[0].Of != "body" {
		t.Errorf("%+v", spacing)
	}
	looked := 0
	look := func(where, what string) {
		looked++
		for _, secret := range []string{"Wiltrud", "Amsel", "19990713"} {
			if strings.Contains(what, secret) {
				t.Errorf("%s has %q", where, secret)
			}
		}
	}
	look("the device's log", device.log.String())
	for _, e := range []*ear{here, there} {
		e.mu.Lock()
		for topic, payload := range e.last {
			look(topic, topic+payload)
		}
		e.mu.Unlock()
	}
	k := f.kafka(t)
	for _, topic := range []string{event.EventsTopic, event.WorkTopic, event.ResultsTopic} {
		offsets, err := k.Offsets(t.Context(), topic)
		if err != nil {
			t.Fatal(err)
		}
		for p, o := range offsets {
			if err := k.Scan(t.Context(), topic, p, o.First, o.End, func(r kafka.Record) error {
				look(topic, fmt.Sprintf("%s %s %s", r.Key, r.Value, r.Headers))
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := filepath.WalkDir(f.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil // what is written just now may be gone again
		}
		if data, err := os.ReadFile(path); err == nil {
			look(path, path+string(data))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if looked < 10 {
		t.Errorf("only %d things were looked at", looked)
	}
}
