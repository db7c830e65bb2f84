import Glibc
import Testing

@testable import SwarmTool

@Suite struct TraceArgumentTests {
  private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

  @Test func fileAndPathAreToldApart() {
    #expect(TraceArgument(bytes("recorded")) == .recorded)
    #expect(TraceArgument(bytes("./recorded")) == .file(bytes("./recorded"), of: nil))
    #expect(TraceArgument(bytes("t")) == .file(bytes("t"), of: nil))
    #expect(TraceArgument(bytes("t=a/b")) == .file(bytes("t"), of: bytes("a/b")))
    #expect(TraceArgument(bytes("t=x=a")) == .file(bytes("t=x"), of: bytes("a")))
    #expect(TraceArgument(bytes("=a")) == .file(bytes("=a"), of: nil))
  }

  /// A file's own name may have the sign in it.
  @Test func whatIsThereAsAWholeIsMeantAsAWhole() {
    let folder = ScratchFolder()
    let path = folder("boot=3")
    #expect(close(creat(path.map { CChar(bitPattern: $0) } + [0], 0o600)) == 0)
    #expect(TraceArgument(path) == .file(path, of: nil))
    #expect(TraceArgument(path + bytes("=a")) == .file(path, of: bytes("a")))
  }
}
