package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"image/png"
	"os"
	"strings"
	"testing"

	"cloudcanvas/edge/outbox"
	"cloudcanvas/shared/infer"
)

// TestWhatWorkersDoNotReadIsSentAsPNG sends a volume of two slices and a HEIC of two pictures.
func TestWhatWorkersDoNotReadIsSentAsPNG(t *testing.T) {
	volume := make([]byte, 352+2*2*3)
	le := binary.LittleEndian
	le.PutUint32(volume, 348)
	for at, v := range map[int]uint16{40: 3, 42: 2, 44: 3, 46: 2, 70: 2} {
		le.PutUint16(volume[at:], v)
	}
	le.PutUint32(volume[108:], 0x43B00000) // the voxels begin at 352
	copy(volume[148:], "Wiltrud Amsel")
	copy(volume[344:], "n+1\x00")
	phone, err := os.ReadFile("../../shared/pictures/album/testdata/two.heic")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		data []byte
		want string
		left string
	}{
		"head.nii": {volume, "k/1 a/head.nii#1 2x3 k/2 a/head.nii#2 2x3", ""},
		"IMG.heic": {phone, "k a/IMG.heic 96x64", "the main one of its 2"},
	} {
		var sent []string
		left, err := converted(t.Context(), outbox.Draft{Key: "k", Subject: "a/" + name, Data: c.data}, func(_ context.Context, d outbox.Draft) error {
			im, err := png.DecodeConfig(bytes.NewReader(d.Data))
			if err != nil || d.Type != "image/png" || bytes.Contains(d.Data, []byte("Wiltrud")) {
				t.Errorf("%s: %s, %v", name, d.Type, err)
			}
			sent = append(sent, fmt.Sprintf("%s %s %dx%d", d.Key, d.Subject, im.Width, im.Height))
			return nil
		})
		if err != nil || strings.Join(sent, " ") != c.want || !strings.Contains(left, c.left) {
			t.Errorf("%s: %v, %q, %v", name, sent, left, err)
		}
		if media, err := infer.PlainPicture(c.data, 1e6); err != nil || media != "" {
			t.Errorf("%s goes as it is: %q, %v", name, media, err)
		}
	}
}
