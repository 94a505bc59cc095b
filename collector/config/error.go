package config

import "fmt"

// Error is a mistake in a configuration file. It holds no value of the file: a
// value may be a secret that slipped into the wrong line.
type Error struct {
	// File is the name of the file as it was given.
	File string
	// Line, counted from 1, is the line of the key, or of the block that lacks
	// it.
	Line int
	// Key is the path of the key, such as targets[0].plans[1].id. It is empty
	// for the file as a whole.
	Key string
	// Problem says what is wrong and what the value must be.
	Problem string
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s:%d: ", e.File, e.Line)
	if e.Key != "" {
		text += e.Key + ": "
	}
	return text + e.Problem
}

// problem is a text of ours that says what is wrong with a value.
type problem string

func (p problem) Error() string { return string(p) }
