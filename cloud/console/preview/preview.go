// Package preview shows bytes that nobody trusts.
package preview

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg" // previews
	"image/png"
	"strings"
	"unicode/utf8"
)

// Preview is what can safely be shown of bytes that nobody trusts.
type Preview struct {
	Text    string // where they are text
	Hex     string // else
	Picture bool   // they are a JPEG or PNG that was decoded here; it is shown drawn anew
}

// Of shows the first bytes of something as text or as numbers.
func Of(head []byte, all int) Preview {
	text := head
	if len(head) < all && len(text) > utf8.UTFMax {
		text = []byte(strings.ToValidUTF8(string(text[:len(text)-utf8.UTFMax+1]), "")) // the cut may be within a character
	}
	plain := utf8.Valid(text) && !bytes.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' && r != '\r' })
	p := Preview{}
	if len(head) > 0 && plain {
		p.Text = string(text)
	} else {
		p.Hex = hex.Dump(head[:min(len(head), 512)])
	}
	config, format, err := image.DecodeConfig(bytes.NewReader(head))
	p.Picture = err == nil && (format == "jpeg" || format == "png") && showable(config)
	return p
}

// maxPreview bounds the picture that is decoded for a preview, in pixels.
const maxPreview = 16 << 20

func showable(c image.Config) bool {
	most := maxPreview
	switch c.ColorModel {
	case color.RGBA64Model, color.NRGBA64Model, color.Gray16Model: // twice as many bytes, and more on the way
		most /= 4
	}
	return c.Width > 0 && c.Height > 0 && c.Width <= most && c.Height <= most && c.Width*c.Height <= most
}

// Redraw decodes a picture in Go, without native code, and encodes it anew: nothing of the original
// bytes reaches the browser.
func Redraw(data []byte) ([]byte, error) {
	config, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err == nil && !showable(config) {
		err = fmt.Errorf("it has %d x %d pixels", config.Width, config.Height)
	}
	if err != nil {
		return nil, fmt.Errorf("the picture can't be shown: %w", err)
	}
	picture, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("the picture can't be shown: %w", err)
	}
	var out bytes.Buffer
	if err := png.Encode(&out, picture); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
