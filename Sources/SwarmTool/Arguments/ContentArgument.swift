import ArgumentParser

/// A command whose first argument is content on this machine, or a .torrent: never a link.
protocol ContentCommand: ParsableCommand {
  /// The argument, as it was given.
  var givenContent: [UInt8] { get }
}

extension ContentCommand {
  /// Refuses a link, which would be looked for as a file.
  func refuseLink() throws(Failure) {
    let text = givenContent.prefix(7).map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
    guard text.starts(with: "magnet:".utf8) || text.starts(with: "urn:bt".utf8) else { return }
    throw Failure(
      "\(LinkAdvice.shortened(givenContent)) is a link: swarm join fetches what it names")
  }
}

extension Seed: ContentCommand { var givenContent: [UInt8] { path.bytes } }
extension Publish: ContentCommand { var givenContent: [UInt8] { path.bytes } }
extension Create: ContentCommand { var givenContent: [UInt8] { path.bytes } }
extension Verify: ContentCommand { var givenContent: [UInt8] { torrent.bytes } }
