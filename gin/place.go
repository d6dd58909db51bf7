package sessions

import (
	"net/http"
	"reflect"

	"github.com/gin-gonic/gin"

	"github.com/cloakroom-go/sessions/core/adapter/httpwriter"
)

// placeBelow returns where Gin's own writer, which w is or wraps, keeps the writer below it, or
// nil. The type of Gin's writer is not exported, but its field is.
func placeBelow(w http.ResponseWriter) *http.ResponseWriter {
	if v := reflect.ValueOf(w); v.Type() == typeOfWriter {
		return fieldOf(v.Elem()) //nolint:bodyclose // There is none.
	}
	for layer := range httpwriter.Layers(w) {
		if _, ok := layer.(gin.ResponseWriter); !ok {
			return nil
		}
		if v := reflect.ValueOf(layer); v.Type() == typeOfWriter {
			return fieldOf(v.Elem()) //nolint:bodyclose // There is none.
		}
	}
	return nil
}

// typeOfWriter is the type of Gin's own writer.
var typeOfWriter = reflect.TypeOf( //nolint:gochecknoglobals // A constant.
	gin.CreateTestContextOnly(nil, new(gin.Engine)).Writer)

// fieldOf returns the first field of a struct if it is a writer, or nil.
func fieldOf(v reflect.Value) *http.ResponseWriter {
	if v.Kind() != reflect.Struct || v.NumField() == 0 || !v.Field(0).CanSet() {
		return nil
	}
	//nolint:bodyclose // There is no response.
	place, _ := reflect.TypeAssert[*http.ResponseWriter](v.Field(0).Addr())
	return place
}
