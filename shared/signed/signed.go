// Package signed is how the cloud signs what it publishes to a device, and how the device checks it: ed25519
// over the device's name, the topic, a session that the device has drawn, a serial and the message.
//
// A signed message is one that readers of before read as they did. One of JSON, also with bytes behind it, has
// the signature as the first member of its object, one of protobuf as a field that they pass over, at its end.
// Nothing else of the message changes, so that taking the signature away gives the very bytes that were signed.
//
//	{"signature":"AQ…","id":"q7",…}      protobuf message ‖ field 100: 97 bytes
package signed

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
)

// Why a message is not believed.
var (
	ErrUnsigned = errors.New("it is not signed")
	ErrUnknown  = errors.New("it is signed by a key that is not trusted here")
	ErrForged   = errors.New("its signature is not for these bytes, this device and this topic")
	ErrSession  = errors.New("it was signed for another session of this device")
	ErrReplayed = errors.New("it is older than what has come already")
	// ErrRepeated is no attack: a broker delivers some messages twice.
	ErrRepeated = errors.New("it has come before")
)

// Session is drawn by a device at each start: nothing that was signed earlier holds for it.
type Session [16]byte

// NewSession draws a session.
func NewSession() (s Session) {
	rand.Read(s[:])
	return s
}

func (s Session) String() string { return hex.EncodeToString(s[:]) }

// ParseSession reads what String gives.
func ParseSession(text string) (s Session, err error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(s) {
		return Session{}, fmt.Errorf("a session is %d hex digits, not %.40q", 2*len(s), text)
	}
	return Session(b), nil
}

// version is the first byte of a signature.
const version = 1

// sealBytes is a seal on the wire: version, key, session, serial, signature.
const sealBytes = 1 + 8 + 16 + 8 + ed25519.SignatureSize

// seal is what stands beside a message.
type seal struct {
	key       KeyID
	session   Session
	serial    uint64
	signature [ed25519.SignatureSize]byte
}

func (s seal) bytes() []byte {
	b := append([]byte{version}, s.key[:]...)
	b = append(b, s.session[:]...)
	b = binary.BigEndian.AppendUint64(b, s.serial)
	return append(b, s.signature[:]...)
}

func parseSeal(b []byte) (s seal, ok bool) {
	if len(b) != sealBytes || b[0] != version {
		return s, false
	}
	copy(s.key[:], b[1:9])
	copy(s.session[:], b[9:25])
	s.serial = binary.BigEndian.Uint64(b[25:33])
	copy(s.signature[:], b[33:])
	return s, true
}

// domain keeps these signatures apart from any others that the key may make.
const domain = "cloudcanvas down v1"

// statement is what is signed. Names hold no zero byte (event.CheckName), so no two are alike.
func statement(edge, what string, s seal, message []byte) []byte {
	digest := sha512.Sum512(message)
	b := make([]byte, 0, len(domain)+len(edge)+len(what)+3+sealBytes+len(digest))
	for _, name := range [...]string{domain, edge, what} {
		b = append(append(b, name...), 0)
	}
	b = append(b, s.key[:]...)
	b = append(b, s.session[:]...)
	b = binary.BigEndian.AppendUint64(b, s.serial)
	return append(b, digest[:]...)
}

// The two places of a seal.
const (
	jsonBefore = `{"signature":"`
	jsonAfter  = `",`
)

var (
	text      = base64.RawStdEncoding
	jsonRoom  = len(jsonBefore) + text.EncodedLen(sealBytes) + len(jsonAfter)
	pbTrailer = []byte{0xa2, 0x06, sealBytes} // field 100, bytes, their number
)

// attach puts a seal into a message.
func attach(message []byte, s seal) ([]byte, error) {
	switch {
	case len(message) == 0:
		return nil, errors.New("an empty message can't be signed")
	case message[0] != '{':
		b := make([]byte, 0, len(message)+len(pbTrailer)+sealBytes)
		return append(append(append(b, message...), pbTrailer...), s.bytes()...), nil
	}
	if rest := bytes.TrimLeft(message[1:], " \t\r\n"); len(rest) == 0 || rest[0] != '"' {
		return nil, errors.New("an empty object can't be signed")
	}
	b := append(make([]byte, 0, len(message)+jsonRoom), jsonBefore...)
	b = append(text.AppendEncode(b, s.bytes()), jsonAfter...)
	return append(b, message[1:]...), nil
}

// detach takes the seal away: message is what was signed.
func detach(payload []byte) (message []byte, s seal, ok bool) {
	if bytes.HasPrefix(payload, []byte(jsonBefore)) {
		if len(payload) < jsonRoom || string(payload[jsonRoom-len(jsonAfter):jsonRoom]) != jsonAfter {
			return nil, s, false
		}
		b, err := text.Strict().DecodeString(string(payload[len(jsonBefore) : jsonRoom-len(jsonAfter)]))
		if err != nil {
			return nil, s, false
		}
		if s, ok = parseSeal(b); ok {
			message = append(append(make([]byte, 0, len(payload)), '{'), payload[jsonRoom:]...)
		}
		return message, s, ok
	}
	at := len(payload) - len(pbTrailer) - sealBytes
	if at < 1 || payload[0] == '{' || !bytes.Equal(payload[at:at+len(pbTrailer)], pbTrailer) {
		return nil, s, false
	}
	s, ok = parseSeal(payload[at+len(pbTrailer):])
	return payload[:at:at], s, ok
}
