package onnx

// Field numbers of ONNX (onnx.proto of github.com/onnx/onnx), of what is read or written here.
const (
	ModelFormat    = 1 // its version
	ModelGraph     = 7
	ModelOpsets    = 8
	ModelMetadata  = 14
	ModelTraining  = 20
	ModelFunctions = 25

	OpsetDomain  = 1
	OpsetVersion = 2

	EntryKey   = 1 // of metadata and of where external data lies
	EntryValue = 2

	TrainingInit = 1
	TrainingStep = 2

	FunctionName   = 1
	FunctionNode   = 7
	FunctionDomain = 10

	GraphNode        = 1
	GraphName        = 2
	GraphInitializer = 5
	GraphInput       = 11
	GraphOutput      = 12
	GraphValue       = 13
	GraphSparse      = 15

	NodeInput     = 1
	NodeOutput    = 2
	NodeName      = 3
	NodeOp        = 4
	NodeAttribute = 5
	NodeDomain    = 7

	AttributeName    = 1
	AttributeFloat   = 2
	AttributeInt     = 3
	AttributeTensor  = 5
	AttributeGraph   = 6
	AttributeInts    = 8
	AttributeTensors = 10
	AttributeGraphs  = 11
	AttributeType    = 20
	AttributeSparse  = 22
	AttributeSparses = 23

	ValueName   = 1
	ValueType   = 2
	TypeTensor  = 1
	TypeElement = 1
	TypeShape   = 2
	ShapeDim    = 1
	DimValue    = 1

	TensorDims     = 1
	TensorType     = 2
	TensorSegment  = 3
	TensorFloats   = 4
	TensorInt32s   = 5 // also of float16, one in each
	TensorStrings  = 6
	TensorInt64s   = 7
	TensorName     = 8
	TensorRaw      = 9
	TensorDoubles  = 10
	TensorUint64s  = 11
	TensorExternal = 13
	TensorLocation = 14

	SparseValues  = 1
	SparseIndices = 2
)

// What AttributeType says.
const (
	AttributeIsInt    = 2
	AttributeIsTensor = 4
	AttributeIsInts   = 7
)

// Types of a tensor's elements.
const (
	Float32    = 1
	Uint8      = 2 // of an input: pictures whose pixels go in as they are
	Int8       = 3
	Int32      = 6
	Int64      = 7
	String     = 8
	Float16    = 10
	Complex64  = 14
	Complex128 = 15
)
