import Testing

@testable import Metainfo
