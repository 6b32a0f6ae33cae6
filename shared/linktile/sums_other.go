//go:build !amd64

package linktile

var vectors = false

func sumWideAVX2(*int64, int, *tap, int, int64)   {}
func sumNarrowAVX2(*int32, int, *tap, int, int32) {}
func widenAVX2(*int32, *uint16, int)              {}
