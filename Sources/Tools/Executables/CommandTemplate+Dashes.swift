// Decides where in a command a value may start with a dash. A value must never become an option of
// the program, so dashes are allowed only after `--`, in a list after its option, or where the
// manifest allows them.

/// What a manifest says about values and options.
struct DashPermissions: Sendable {
    /// Whether every value may start with a dash.
    var allowsAll = false
    /// The parameters whose values may start with a dash.
    var allowed: Set<String> = []
    /// The parameters whose values are numbers or one of a list in the manifest.
    ///
    /// They may be a part of an option: `-j{count}`.
    var closed: Set<String> = []
}

extension CommandReader {
    /// Programs that run another program, given in their arguments.
    ///
    /// A `--` before that program ends their own options, not the options of the program they run.
    private static let wrappers: Set<String> = [
        "busybox", "chroot", "chrt", "doas", "docker", "env", "exec", "flock", "ionice", "kubectl",
        "nice", "nohup", "nsenter", "parallel", "podman", "prlimit", "runuser", "setpriv", "setsid",
        "ssh", "stdbuf", "strace", "su", "sudo", "systemd-run", "taskset", "time", "timeout",
        "unshare", "watch", "xargs",
    ]

    /// Decides for each element whether a value may start it with a dash; reports elements whose
    /// placeholder may or may not belong to an option.
    mutating func settleDashes(_ entries: [CommandEntry]) {
        let all = template.elements
        let program = all.first?.literal?.split(separator: "/").last.map(String.init) ?? ""
        let isWrapper = Self.wrappers.contains(program)
        var position = 0
        var isBehindDashes = false
        for group in template.groups.indices {
            line = entries[group].line
            let isList = template.groups[group].isOptional
            var isBehindDashesInList = false
            for index in template.groups[group].elements.indices {
                let element = template.groups[group].elements[index]
                let previous = position > 1 ? all[position - 1] : nil
                let isInListWithPrevious = isList && index > 0
                let next = position + 1 < all.count ? all[position + 1] : nil
                position += 1
                if element.literal == "--" {
                    let endsOptions = !(isWrapper && next?.literal != nil)
                    // Dashes in a list are present only if the list is.
                    if isList {
                        isBehindDashesInList = endsOptions
                    } else if endsOptions {
                        isBehindDashes = true
                    }
                } else if isBehindDashes || isBehindDashesInList || allowsDash(in: element) {
                    template.groups[group].elements[index].dash = .allowed
                } else if isInListWithPrevious, previous?.isOption == true {
                    template.groups[group].elements[index].dash = .optionValue
                } else {
                    let isBare = previous?.isOption == true && !wasInList(group, index)
                    checkPlace(of: element, behind: isBare ? previous?.literal : nil)
                }
            }
        }
    }

    /// Whether the previous element is in a list of its own.
    private func wasInList(_ group: Int, _ index: Int) -> Bool {
        index == 0 && group > 0 && template.groups[group - 1].isOptional
    }

    private func allowsDash(in element: CommandTemplate.Element) -> Bool {
        if dashes.allowsAll { return true }
        let names = element.values.map { template.parameters[$0] }
        return !names.isEmpty && names.allSatisfy { dashes.allowed.contains($0) }
    }

    /// Reports an element that could be either the value of the previous option or a separate
    /// argument, and an element whose value would continue an option.
    private mutating func checkPlace(
        of element: CommandTemplate.Element,
        behind option: String?
    ) {
        if let option, let leading = element.leadingParameters.first {
            let name = template.parameters[leading]
            return report(
                "leaves open whether {\(name)} is the value of \(option) or an argument that could"
                    + " be an option itself. If it is the value, write both as a list inside the"
                    + " command: [\(option), \"\(source(of: element))\"]; the list is left out when"
                    + " {\(name)} is absent. If not, put \"--\" before it, or another place between"
                    + " them."
            )
        }
        guard case .text(let text) = element.pieces.first, text.hasPrefix("-"),
            !text.contains("="),
            let open = element.values.map({ template.parameters[$0] })
                .first(where: { !dashes.closed.contains($0) && !dashes.allowed.contains($0) })
        else { return }
        let isNamed = text.contains { $0 != "-" }
        report(
            "lets {\(open)} continue an option in \"\(source(of: element))\", so that a value could"
                + " choose others. "
                + (isNamed
                    ? "Write option and value as a list inside the command,"
                        + " [\(text), \"{\(open)}\"], or with an equals sign, --name={\(open)}"
                    : "Write the option out, as in [-e, \"{\(open)}\"] or --name={\(open)}")
                + "; give {\(open)} a type of number or an enum in the parameters; or set allow_dash:"
                + " true if it may be an option."
        )
    }

    /// The element as written in a manifest.
    private func source(of element: CommandTemplate.Element) -> String {
        element.pieces.map { piece in
            switch piece {
            case .text(let text): text
            case .value(let parameter):
                "{\(template.parameters[parameter])\(element.isSpread ? "..." : "")}"
            }
        }.joined()
    }
}
