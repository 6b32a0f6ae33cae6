package sar

// RowsBytes is the size of the rows that a block makes. Packed they have no more.
func (p *Plan) RowsBytes(b Block) int64 { return int64(b.Rows) * int64(p.Params.Samples) * 8 }

// Memory is what DecodeEchoes, Focus and EncodeRows take at most, one after the other, beside the packed block and
// the packed rows: the raw lines, the lines as complex numbers, of which the rows are a part, and what the rows are
// packed by way of.
func (p *Plan) Memory(b Block) int64 {
	_, lines := p.Stored(b)
	raw := int64(lines) * int64(p.Params.Samples) * int64(p.Params.Format.Bytes())
	return raw + max(raw, int64(b.Lines)*int64(p.width())*8+2*p.RowsBytes(b))
}
