package message

import (
	"bytes"
	"encoding/binary"
	"strconv"
)

// isSMB: a NetBIOS session message (RFC 1002 §4.3.1) with SMB1, SMB2/3 or encrypted SMB3 inside.
func isSMB(b []byte) bool {
	return len(b) >= 8 && b[0] == 0 && (b[4] == 0xff || b[4] == 0xfe || b[4] == 0xfd) && string(b[5:8]) == "SMB"
}

var smb2Commands = [...]string{"Negotiate", "SessionSetup", "Logoff", "TreeConnect", "TreeDisconnect", "Create", "Close",
	"Flush", "Read", "Write", "Lock", "Ioctl", "Cancel", "KeepAlive", "Find", "GetInfo", "SetInfo", "Notify", "Break"}

// nameSMB names the command ([MS-SMB2] §2.2.1); a status other than success is given as a number.
func nameSMB(i *Info, b []byte, wire int, _ uint8) bool {
	if !isSMB(b) {
		return false
	}
	kind, label := "request", "SMB1"
	switch {
	case b[4] == 0xfd:
		kind, label = "encrypted", "encrypted"
	case b[4] == 0xff && len(b) > 13:
		if b[8] == 0x72 {
			label = "SMB1 Negotiate"
		}
		if b[13]&0x80 != 0 {
			kind, label = "response", label+" response"
		}
	case b[4] == 0xfe && len(b) >= 4+20:
		h := b[4:]
		label = "command " + strconv.Itoa(int(binary.LittleEndian.Uint16(h[12:])))
		if c := int(binary.LittleEndian.Uint16(h[12:])); c < len(smb2Commands) {
			label = smb2Commands[c]
		}
		if h[16]&1 != 0 {
			kind, label = "response", label+" response"
			if status := binary.LittleEndian.Uint32(h[8:]); status != 0 {
				label += " 0x" + strconv.FormatUint(uint64(status), 16)
			}
		}
	}
	i.only(kind, label, 4+int(binary.BigEndian.Uint32(b)&0xffffff), len(b))
	return true
}

// isRDP: TPKT (RFC 1006 §6) that fills the segment, with a connection request or confirm of X.224 in it.
func isRDP(b []byte, wire int) bool {
	return len(b) >= 11 && b[0] == 3 && b[1] == 0 && int(binary.BigEndian.Uint16(b[2:])) == wire &&
		(b[5] == 0xe0 || b[5] == 0xd0) && int(b[4]) == wire-5
}

func nameRDP(i *Info, b []byte, wire int, _ uint8) bool {
	if !isRDP(b, wire) {
		return false
	}
	kind, label := "request", "connection request"
	if b[5] == 0xd0 {
		kind, label = "response", "connection confirm"
	} else if at := bytes.Index(b, []byte("mstshash=")); at > 0 {
		line, _ := firstLine(b[at+9:])
		label += " " + string(line)
	}
	i.only(kind, label, wire, len(b))
	return true
}
