package capture

import "encoding/binary"

// Peek gives the bytes of a frame that Next will give later, n frames after the one that comes next, and their number on the wire: nil
// where they are not read yet, or not told at a look. It serves to have at hand what the frame will ask for, and promises nothing but
// that these bytes, and those of frames before it, stay as they are until Next has given the frame, which it does in the same place.
func (r *Reader) Peek(n int) (b []byte, onWire uint32) {
	if r.failed != nil {
		return nil, 0
	}
	s := &r.src
	b = s.buf[s.pos:s.end]
	if r.ng.order != nil {
		return r.ng.peek(b, n)
	}
	return r.pcap.peek(b, n)
}

func (st *pcapState) peek(b []byte, n int) ([]byte, uint32) {
	if st.big || st.order != lengthsUsual || st.record == 0 {
		return nil, 0
	}
	for {
		if len(b) < st.record {
			return nil, 0
		}
		end := uint64(st.record) + uint64(binary.LittleEndian.Uint32(b[8:]))
		if end > uint64(len(b)) {
			return nil, 0
		}
		if n == 0 {
			return b[st.record:end:end], binary.LittleEndian.Uint32(b[12:])
		}
		b, n = b[end:], n-1
	}
}

func (st *ngState) peek(b []byte, n int) ([]byte, uint32) {
	if st.big {
		return nil, 0
	}
	for {
		if len(b) < enhancedData || binary.LittleEndian.Uint32(b) != blockEnhanced {
			return nil, 0
		}
		length, data := uint64(padded(binary.LittleEndian.Uint32(b[4:]))), uint64(binary.LittleEndian.Uint32(b[20:]))
		if length > uint64(len(b)) || enhancedData+data > length {
			return nil, 0
		}
		if n == 0 {
			return b[enhancedData : enhancedData+data : enhancedData+data], binary.LittleEndian.Uint32(b[24:])
		}
		b, n = b[length:], n-1
	}
}
