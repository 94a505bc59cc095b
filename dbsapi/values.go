package dbsapi

import (
	"math"
	"strconv"
	"strings"
)

// number is an integer of an answer.
type number struct {
	value int64
	// present: there is a value, be it malformed.
	present bool
	// malformed: the value is not a whole number of 64 bits.
	malformed bool
}

// exactFloats is the double below which every integer is exact; 2^53 itself is
// also what 2^53+1 is rounded to.
const exactFloats = 1 << 53

// integer reads a number, or a string that holds one.
func (d *decoder) integer() (number, error) {
	text, readable, err := d.raw()
	switch {
	case err != nil:
		return number{}, err
	case !readable:
		return number{present: true, malformed: true}, nil
	case isNothing(text):
		return number{}, nil
	}
	return parseInteger(string(text)), nil
}

// parseInteger reads a text that is not empty.
func parseInteger(text string) number {
	digits := strings.TrimSpace(text)
	if value, err := strconv.ParseInt(digits, 10, 64); err == nil {
		return number{value: value, present: true}
	}
	// ParseFloat also takes Go's own notations, such as 0x1p4, 1_0 and Inf.
	if strings.Trim(digits, "0123456789+-.eE") != "" {
		return number{present: true, malformed: true}
	}
	// Serializers that know only doubles write 1.642044001E12.
	if f, err := strconv.ParseFloat(digits, 64); err == nil && f == math.Trunc(f) && math.Abs(f) < exactFloats {
		return number{value: int64(f), present: true}
	}
	return number{present: true, malformed: true}
}

// flag is a boolean that an answer or a row may lack.
type flag int

const (
	flagAbsent flag = iota
	flagTrue
	flagFalse
	// flagInvalid is a value other than true or false.
	flagInvalid
)

// flag reads true or false, also as a string.
func (d *decoder) flag() (flag, error) {
	text, readable, err := d.raw()
	switch {
	case !readable:
		return flagInvalid, err
	case isNothing(text):
		return flagAbsent, err
	case strings.EqualFold(string(text), "true"):
		return flagTrue, err
	case strings.EqualFold(string(text), "false"):
		return flagFalse, err
	}
	return flagInvalid, err
}

func isNothing(text []byte) bool {
	switch string(text) {
	case "", "无", "N/A":
		return true
	}
	return false
}
