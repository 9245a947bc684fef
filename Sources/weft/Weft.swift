// Placeholder until the command arrives.
@main
struct Weft {
    static func main() {}
}
