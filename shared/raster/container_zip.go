package raster

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
)

// countZip refuses a zip of too many files before its list is held in memory: archive/zip reads all of it first,
// hundreds of bytes for each file. What is wrong with the list otherwise is archive/zip's to tell. The format is
// PKWARE's APPNOTE 6.3, 4.3.12 to 4.3.16.
func countZip(at string) error {
	f, err := os.Open(at)
	if err != nil {
		return err
	}
	defer f.Close()
	list, err := zipList(f)
	if err != nil || list == nil {
		return err
	}
	for n := 0; ; n++ {
		var head [46]byte
		if _, err := io.ReadFull(list, head[:]); err != nil || binary.LittleEndian.Uint32(head[:]) != 0x02014b50 {
			return nil
		}
		if n >= maxContained {
			return errTooMany
		}
		names := int(binary.LittleEndian.Uint16(head[28:])) + int(binary.LittleEndian.Uint16(head[30:])) + int(binary.LittleEndian.Uint16(head[32:]))
		if _, err := list.Discard(names); err != nil {
			return nil
		}
	}
}

// zipList is where the list of a zip's files begins, by the record at its end; nil where that is not found.
func zipList(f *os.File) (*bufio.Reader, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	const record, locator, most = 22, 20, 1 << 16
	tail := make([]byte, min(info.Size(), record+locator+most))
	if _, err := f.ReadAt(tail, info.Size()-int64(len(tail))); err != nil {
		return nil, fmt.Errorf("%w; if it was cut off, copy it again", err)
	}
	end := bytes.LastIndex(tail, []byte("PK\x05\x06"))
	if end < 0 || len(tail)-end < record {
		return nil, nil
	}
	size, offset := uint64(binary.LittleEndian.Uint32(tail[end+12:])), uint64(binary.LittleEndian.Uint32(tail[end+16:]))
	begin := info.Size() - int64(len(tail)) + int64(end) - int64(size) // what lies before the zip shifts its offsets
	if offset == 0xffffffff || size == 0xffffffff {
		begin = zip64List(f, tail[:end])
	}
	if begin < 0 || begin >= info.Size() {
		return nil, nil
	}
	return bufio.NewReader(io.NewSectionReader(f, begin, info.Size()-begin)), nil
}

// zip64List is where the list begins by the records of large zips; -1 where they are not found.
func zip64List(f *os.File, tail []byte) int64 {
	at := bytes.LastIndex(tail, []byte("PK\x06\x07"))
	if at < 0 || len(tail)-at < 20 {
		return -1
	}
	var record [56]byte
	offset := binary.LittleEndian.Uint64(tail[at+8:])
	if _, err := f.ReadAt(record[:], int64(offset)); offset > 1<<62 || err != nil {
		return -1
	}
	return int64(binary.LittleEndian.Uint64(record[48:]) & (1<<62 - 1))
}
