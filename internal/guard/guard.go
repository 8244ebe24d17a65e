// Package guard keeps strangers from making Milepost expensive.
package guard
