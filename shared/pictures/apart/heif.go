package apart

/*
#cgo pkg-config: libheif
#include <stdlib.h>
#include <libheif/heif.h>

static struct heif_error canvas_read(struct heif_context *c, const void *data, size_t n) {
	return heif_context_read_from_memory_without_copy(c, data, n, NULL);
}

static struct heif_error canvas_decode_heif(const struct heif_image_handle *h, struct heif_image **out) {
	struct heif_decoding_options *o = heif_decoding_options_alloc();
	o->convert_hdr_to_8bit = 1;
#if LIBHEIF_NUMERIC_VERSION >= 0x010f0000
	if (o->version >= 3) o->strict_decoding = 1;
#endif
	struct heif_error e = heif_decode_image(h, out, heif_colorspace_RGB, heif_chroma_interleaved_RGB, o);
	heif_decoding_options_free(o);
	return e;
}

static void canvas_threads(struct heif_context *c, int most) {
#if LIBHEIF_NUMERIC_VERSION >= 0x010d0000
	heif_context_set_max_decoding_threads(c, most);
#endif
}

// canvas_transfer is how the picture's numbers stand for light (ITU-T H.273); 2: not said.
static int canvas_transfer(const struct heif_image_handle *h) {
	struct heif_color_profile_nclx *p = NULL;
	if (heif_image_handle_get_nclx_color_profile(h, &p).code != heif_error_Ok || !p) return 2;
	int t = p->transfer_characteristics;
	heif_nclx_color_profile_free(p);
	return t;
}
*/
import "C"

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"
)

// decodingThreads are libheif's own, of which each holds a part of the picture.
const decodingThreads = 2

// heifFile lives as long as the child.
type heifFile struct {
	context *C.struct_heif_context
	main    *C.struct_heif_image_handle
	brand   string
}

func openHEIF(data []byte) (*heifFile, error) {
	if len(data) < 12 {
		return nil, errors.New("it ends within its header; is the file whole?")
	}
	f := &heifFile{context: C.heif_context_alloc(), brand: string(data[8:12])}
	C.canvas_threads(f.context, decodingThreads)
	held := C.CBytes(data)
	if err := f.check(C.canvas_read(f.context, held, C.size_t(len(data)))); err != nil {
		return nil, err
	}
	if err := f.check(C.heif_context_get_primary_image_handle(f.context, &f.main)); err != nil {
		return nil, err
	}
	return f, nil
}

// Values of transfer characteristics in ITU-T H.273 that are made for brighter screens.
const transferPQ, transferHLG = 16, 18

func (f *heifFile) header() Header {
	t := C.canvas_transfer(f.main)
	return Header{W: int(C.heif_image_handle_get_width(f.main)), H: int(C.heif_image_handle_get_height(f.main)), Samples: 3, Bits: 8,
		Pictures: int(C.heif_context_get_number_of_top_level_images(f.context)), Moves: f.brand == "avis" || f.brand == "hevc" || f.brand == "msf1",
		Deep: C.heif_image_handle_get_luma_bits_per_pixel(f.main) > 8, Bright: t == transferPQ || t == transferHLG}
}

func (f *heifFile) decode() ([]byte, error) {
	var im *C.struct_heif_image
	if err := f.check(C.canvas_decode_heif(f.main, &im)); err != nil {
		return nil, err
	}
	want := f.header()
	w, h := int(C.heif_image_get_width(im, C.heif_channel_interleaved)), int(C.heif_image_get_height(im, C.heif_channel_interleaved))
	if w != want.W || h != want.H {
		return nil, fmt.Errorf("its picture has %d x %d pixels where its header has %d x %d", w, h, want.W, want.H)
	}
	var stride C.int
	rows := C.heif_image_get_plane_readonly(im, C.heif_channel_interleaved, &stride)
	if rows == nil || int(stride) < 3*w {
		return nil, errors.New("it has no colour pixels")
	}
	pix := make([]byte, 0, want.bytes())
	for y := range h {
		row := unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(rows), y*int(stride))), 3*w)
		pix = append(pix, row...)
	}
	for i := 0; i+2 < len(pix); i += 3 { // red, green, blue
		pix[i], pix[i+2] = pix[i+2], pix[i]
	}
	return pix, nil
}

// Of libheif's errors, those of a codec that it was built without.
const unsupportedFeature, unsupportedCodec, unsupportedFiletype = C.heif_error_Unsupported_feature, C.heif_suberror_Unsupported_codec, C.heif_error_Unsupported_filetype

func (f *heifFile) check(e C.struct_heif_error) error {
	if e.code == C.heif_error_Ok {
		return nil
	}
	words := strings.Join(strings.Fields(C.GoString(e.message)), " ")
	words = strings.ToValidUTF8(words[:min(len(words), 200)], "")
	av1 := strings.HasPrefix(f.brand, "av") || strings.Contains(words, "AV1")
	has := map[bool]C.enum_heif_compression_format{false: C.heif_compression_HEVC, true: C.heif_compression_AV1}[av1]
	return explain(words, e.subcode == unsupportedCodec || C.heif_have_decoder_for_format(has) == 0, av1)
}

// explain says what to do about what libheif said.
func explain(words string, lacking, av1 bool) error {
	switch {
	case lacking && av1:
		return fmt.Errorf("libheif of this machine can't decode it (%s): install libheif-plugin-dav1d or libheif-plugin-aomdec, or convert it first, as with `avifdec FILE FILE.png`", words)
	case lacking:
		return fmt.Errorf("libheif of this machine can't decode it (%s): install libheif-plugin-libde265, or convert it first, as with `heif-convert FILE FILE.jpg`", words)
	}
	return fmt.Errorf("libheif says: %s; is the file whole?", words)
}
