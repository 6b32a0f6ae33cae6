package sar

// RowsBytes is the size of the rows that a block makes. Packed they have hardly more: three bytes in 65,536 numbers.
func (p *Plan) RowsBytes(b Block) int64 { return int64(b.Rows) * int64(p.Params.Samples) * 8 }

// Memory is what DecodeEchoes, Focus and EncodeRows take at most, one after the other, beside the packed block and
// the packed rows: the raw lines, and the lines as complex numbers, of which the rows are a part.
func (p *Plan) Memory(b Block) int64 {
	_, lines := p.Stored(b)
	raw := int64(lines) * int64(p.Params.Samples) * int64(p.Params.Format.Bytes())
	return raw + int64(b.Lines)*int64(p.width())*8 + packing
}

// packing is what numbers are packed by way of, on some threads.
const packing = 16 << 20
