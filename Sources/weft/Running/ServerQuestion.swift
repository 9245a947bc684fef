// Starts the MCP servers of a manifest for a moment, to know which tools they have. Not here: using
// them.
internal import Console
internal import Core
internal import Tools
internal import UVLoop
internal import Wire

/// Asks the MCP servers of a manifest for their tools.
enum ServerQuestion {
    /// All tools of a manifest, those of its servers too; servers that fail are named on standard
    /// error.
    static func toolsOfAll(in manifest: Manifest) throws -> [ToolDescription] {
        let loop = try Shell.makeLoop()
        defer { loop.close() }
        let toolbox: Toolbox
        do {
            toolbox = try Toolbox.make(loop: loop, manifest: manifest)
        } catch {
            throw CommandFailure(.usage, "\(error)")
        }
        toolbox.onNotice = { notice in
            guard case .serverFailed(let server, let reason, _) = notice else { return }
            Shell.tell("warning: the MCP server \(server) failed: \(reason)")
        }
        var descriptions: [ToolDescription] = []
        toolbox.prepare {
            descriptions = toolbox.descriptions
            toolbox.shutDown()
            let timer = Timer(loop: loop) { loop.stop() }
            timer.schedule(after: PersistentRunner.shutDownGrace + .seconds(1))
            timer.detachFromLoopLife()
        }
        loop.run()
        return descriptions
    }
}
