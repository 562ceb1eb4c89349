//! Drawing: one panel a file, the layout, the theme. Everything here takes `&State` and changes nothing.
