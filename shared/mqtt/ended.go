package mqtt

import (
	"context"
	"errors"
	"net"
	"strings"
)

// Ended says whether a connection was ended by the other side, as a broker does that does not like what it
// is sent; and not by silence, as on a link that is dead, nor by this side.
func Ended(err error) bool {
	var fault net.Error
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, net.ErrClosed):
		return false
	case errors.As(err, &fault) && fault.Timeout():
		return false
	}
	return !strings.Contains(err.Error(), "pingresp") // paho's words for silence
}
