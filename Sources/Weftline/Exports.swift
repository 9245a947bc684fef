// The types that a program gets by `import Weftline` in addition to this module's own: those of
// plans, tools and outcomes, each listed by name. Other names of the lower modules, such as their
// machines and shells, are not exported.

@_exported public import struct Client.ClientError
@_exported public import struct Configuration.FileProblem
@_exported public import struct Core.Failure
@_exported public import enum Core.FailureClass
@_exported public import struct Core.FailureCode
@_exported public import enum Core.MissingToolPolicy
@_exported public import struct Core.NodeID
@_exported public import struct Core.RunID
@_exported public import struct Core.TokenPrices
@_exported public import struct Core.TokenUsage
@_exported public import struct JSON.JSONError
@_exported public import enum JSON.JSONValue
@_exported public import struct JSON.RawJSON
@_exported public import struct JSON.TextPosition
@_exported public import struct LanguageModels.ModelConfigurationError
@_exported public import enum LanguageModels.ModelKeySource
@_exported public import struct OrderedCollections.OrderedDictionary
@_exported public import struct PlannerCore.ModelFailure
@_exported public import struct PlannerCore.ModelMessage
@_exported public import struct PlannerCore.ModelRequest
@_exported public import enum PlannerCore.ModelStop
@_exported public import enum PlannerCore.ResponseFormat
@_exported public import enum Plans.ModelFailurePolicy
@_exported public import struct Plans.NodeDefinition
@_exported public import struct Plans.PlanDocument
@_exported public import enum Plans.PlanFormat
@_exported public import struct Plans.PlanProblem
@_exported public import struct Plans.PlanProblems
@_exported public import struct Plans.PlannerOptions
@_exported public import enum Plans.PlanningStrategy
@_exported public import struct Tools.FunctionTool
@_exported public import struct Tools.Manifest
@_exported public import struct Tools.ManifestError
@_exported public import struct Tools.ToolContext
@_exported public import struct Tools.ToolboxError
@_exported public import struct Transport.Endpoint
@_exported public import struct Transport.EndpointError
@_exported public import struct Transport.KeyFileError
@_exported public import struct UVLoop.UVError
@_exported public import struct Wire.ErrorCode
@_exported public import enum Wire.EventKind
@_exported public import enum Wire.JoinKind
@_exported public import enum Wire.WatchLevel
