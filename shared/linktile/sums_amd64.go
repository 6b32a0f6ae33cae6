package linktile

import "golang.org/x/sys/cpu"

var vectors = cpu.X86.HasAVX2

// sumWideAVX2 is sumWide for a multiple of lanes.
//
//go:noescape
func sumWideAVX2(to *int64, n int, taps *tap, count int, offset int64)

// sumNarrowAVX2 is sumNarrow for a multiple of lanes.
//
//go:noescape
func sumNarrowAVX2(to *int32, n int, taps *tap, count int, offset int32)

// widenAVX2 is widen for a multiple of lanes.
//
//go:noescape
func widenAVX2(to *int32, from *uint16, n int)
