"""What pages are made of: tags, forms, paging, live fragments and middleware. It knows no word of the domain."""
